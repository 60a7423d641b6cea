// Package operations is what an operator does with the command belfry beside running
// it: provision, examine, copy and repair.
package operations

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"go.uber.org/zap"

	"github.com/belfry-push/belfry/internal/adapter/awsconf"
	"github.com/belfry-push/belfry/internal/adapter/dynamo"
	"github.com/belfry-push/belfry/internal/adapter/fcm"
	"github.com/belfry-push/belfry/internal/adapter/sqlite"
	"github.com/belfry-push/belfry/internal/app"
	"github.com/belfry-push/belfry/internal/app/dispatcher"
	"github.com/belfry-push/belfry/internal/config"
	"github.com/belfry-push/belfry/internal/credential"
	"github.com/belfry-push/belfry/internal/doctor"
	"github.com/belfry-push/belfry/internal/provision"
	"github.com/belfry-push/belfry/internal/telemetry"
)

// Operations are what an operator does beside running Belfry. The zero value is
// ready.
type Operations struct{}

// commandLog is where an operator's command puts the AWS SDK's warnings: beside
// its own words, in the form of every other line.
func commandLog() *zap.Logger {
	log, _, err := telemetry.NewLogger("warn", "console", os.Stderr)
	if err != nil { // neither word is the caller's
		return zap.NewNop()
	}
	return log
}

// Doctor examines where a service with these settings would run.
func (Operations) Doctor(ctx context.Context, c config.Doctor) doctor.Report {
	backend := doctor.Embedded(c.Store.Data)
	if c.Store.Backend == config.BackendAWS {
		backend = doctor.AWS(func(ctx context.Context) (aws.Config, error) {
			cfg, err := awsconf.Load(ctx, awsconf.Options{Version: telemetry.Version()})
			return awsconf.Observe(cfg, commandLog(), nil), err
		}, doctor.Installation{Prefix: c.Store.AWS.Prefix, Bucket: c.Store.AWS.Bucket})
	}
	found := c.Warnings()
	fcmCheck := doctor.FCM(dryRunner(c.FCM, func(w string) { found = append(found, w) }))
	keys := doctor.Access(doorOf(c, func(ctx context.Context) (doctor.Stored, error) { return stored(ctx, c.Store) }))
	return doctor.Run(ctx, backend, keys, fcmCheck, doctor.Settings(func() []string { return found }))
}

// doorOf is what the settings of a service say of who is let in.
func doorOf(c config.Doctor, open func(ctx context.Context) (doctor.Stored, error)) doctor.Door {
	return doctor.Door{
		Listen: c.API.Listen, Beyond: c.API.Beyond(), KeySet: !c.API.Key.IsZero(), RequireKey: c.API.RequireKey,
		AuditKey: c.Store.AuditKey.Reveal(), Now: time.Now, Open: open,
		Ring: func(ctx context.Context) (*credential.Ring, error) {
			return app.NewRing(ctx, &app.Service{Backend: &app.Backend{}}, c.Seal)
		},
	}
}

// stored opens what a service has stored, and changes nothing.
func stored(ctx context.Context, c config.Store) (doctor.Stored, error) {
	if c.Backend != config.BackendAWS {
		r, err := sqlite.Read(ctx, c.Data)
		if err != nil {
			return doctor.Stored{}, err
		}
		return doctor.Stored{Documents: r, Audit: r, Close: r.Close}, nil
	}
	cfg, err := awsconf.Load(ctx, awsconf.Options{Version: telemetry.Version()})
	if err != nil {
		return doctor.Stored{}, err
	}
	client := provision.NewClients(awsconf.Observe(cfg, zap.NewNop(), nil)).DynamoDB // whose warnings the check before has shown
	return storedIn(client, c.AWS.Prefix), nil
}

func storedIn(client *dynamodb.Client, prefix string) doctor.Stored {
	s := dynamo.New(client, dynamo.Config{Prefix: prefix})
	return doctor.Stored{Documents: s, Audit: s, Close: func() error { return nil }}
}

// dryRunner opens a sender of one connection, as a service would.
func dryRunner(c config.FCM, warn func(string)) doctor.Opener {
	return func(ctx context.Context) (doctor.DryRunner, func(), error) {
		if c.Credentials == "" && !c.Private() {
			return nil, nil, errors.New("no credentials are set")
		}
		cfg, err := dispatcher.FCMConfig(ctx, c, warn)
		if err != nil {
			return nil, nil, err
		}
		cfg.Connections = 1
		sender, err := fcm.New(ctx, cfg, zap.NewNop(), fcm.NewMetrics(telemetry.NewRegistry()))
		if err != nil {
			return nil, nil, err
		}
		return sender, func() {
			const grace = time.Second
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
			defer cancel()
			_ = sender.Close(stop) // nothing is under way
		}, nil
	}
}
