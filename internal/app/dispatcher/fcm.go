package dispatcher

import (
	"context"
	"fmt"
	"time"

	"github.com/belfry-push/belfry/internal/adapter/fcm"
	"github.com/belfry-push/belfry/internal/config"
)

// fcmRamp is how long a fresh process takes to reach its full pace: FCM asks for
// at least a minute (https://firebase.google.com/docs/cloud-messaging/scale-fcm).
const fcmRamp = time.Minute

// RampFor spares a simulator the ramp.
func RampFor(endpoint string) time.Duration {
	if endpoint == fcm.DefaultEndpoint {
		return fcmRamp
	}
	return 0
}

// SandboxProject is the project of a simulator that asks for no credentials.
const SandboxProject = "belfry-sandbox"

// FCMConfig turns settings into the sender's. Only a place that isn't Google's
// may be called without credentials.
func FCMConfig(ctx context.Context, c config.FCM, warn func(string)) (fcm.Config, error) {
	out := fcm.Config{Endpoint: c.Endpoint, Project: c.Project, Connections: c.Connections, HTTP: c.HTTP}
	if c.Credentials == "" && c.Private() {
		if out.Project == "" {
			out.Project = SandboxProject
		}
		return out, nil
	}
	if c.Credentials == "" { // the configuration lets it be missing if apps may have their own
		out.Project = ""
		return out, nil
	}
	file := c.Credentials
	if file == config.ApplicationDefault {
		file = ""
	}
	credential, err := fcm.Credentials(ctx, file)
	if err != nil {
		return fcm.Config{}, err
	}
	for _, w := range credential.Warnings {
		warn(w)
	}
	switch {
	case out.Project == "":
		out.Project = credential.Project
	case credential.Project != "" && credential.Project != out.Project:
		warn(fmt.Sprintf("the FCM key is of the project %s, and sends go to %s (BELFRY_FCM_PROJECT): FCM refuses them unless that project "+
			"lets the account in",
			credential.Project, out.Project))
	}
	out.TokenSource = credential.Tokens
	return out, nil
}
