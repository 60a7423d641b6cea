package describe

import (
	"time"

	"github.com/belfry-push/belfry/client"
)

// sampleStatus is the status while FCM does not answer.
func sampleStatus() client.Status {
	since, until := sampleTime(20), sampleTime(21)
	waiting := "breaker open until 12:21:00 UTC (fcm.unavailable)"
	at := since.Add(30 * time.Second)
	return client.Status{
		At: at, Health: client.HealthFailing,
		Headline: "FCM does not answer for shop-prod since 12:20:00 UTC: the breaker is open until 12:21:00 UTC (fcm.unavailable).",
		Problems: []client.Trouble{{
			Health: client.HealthFailing, What: "FCM does not answer for shop-prod", Since: &since,
			Affected: "1 notification with 4,000 open recipients of tenant default",
			Why:      "the breaker is open until 12:21:00 UTC (fcm.unavailable)",
			Do:       "wait: a few requests find out when FCM is back, and sending goes on by itself",
		}},
		Processes: []client.StatusProcess{{
			ID: "push-1/41/mh2k9", Kind: "dispatcher", Version: "v1.2.3", State: "ok", Started: sampleTime(0), At: at,
			Workers: []client.StatusWorker{{Queue: "deliveries-bulk", Lane: "bulk", InHand: 2, Places: 40, Window: 64}},
		}},
		Queues: []client.StatusQueue{{Name: "deliveries-bulk", InFlight: 2, Delayed: 6}},
		Credentials: []client.StatusCredential{{
			Label: "shop-prod", Processes: 1, Breaker: "open", Since: &since, Until: &until, Cause: "fcm.unavailable",
		}},
		Lanes:   []client.StatusLane{{Lane: "bulk", InHand: 2, Places: 40, Window: 64, Processes: 1}},
		Tenants: []client.StatusTenant{{Name: "default", Running: 1, Open: 4000, Oldest: &since}},
		Running: []client.StatusRunning{{
			ID: sampleBat, Tenant: "default", App: "default", State: "sending", Title: "Hello", Priority: "bulk",
			AcceptedAt: since, Sources: 4000,
			Accepted: 4000, Open: 4000, Counted: true, Reason: "breaker", Waiting: waiting, Until: &until,
		}},
		Open: 4000, Counted: true, Oldest: &since, Replays: []client.StatusReplay{}, Pauses: []client.StatusPause{},
		Letters: client.StatusLetters{Causes: []client.StatusCause{}},
		Store:   &client.StatusStore{Backend: "aws", Seconds: 0.004}, Rates: &client.StatusRates{}, Missing: []client.StatusMissing{},
	}
}
