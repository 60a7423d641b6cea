package config

import (
	"strings"

	"github.com/alecthomas/kong"
)

// longHelp gives the flags whose help is ${NAME}, and nothing else, the help text
// of that name. As kong's variables the texts would be searched for variables of
// their own once for every flag, which took every program tens of milliseconds to
// start. A name without a text is left as it is: kong refuses it.
func longHelp() kong.Option {
	return kong.PostBuild(func(k *kong.Kong) error {
		texts := helpTexts()
		return kong.Visit(k.Model.Node, func(node kong.Visitable, next kong.Next) error {
			if flag, ok := node.(*kong.Flag); ok {
				name, long := strings.CutPrefix(flag.Help, "${")
				if text, known := texts[strings.TrimSuffix(name, "}")]; long && known {
					flag.Help = text
				}
			}
			return next(nil)
		})
	})
}

// helpTexts holds the help texts that are too long for the line of a field's tag.
// A tag refers to one as ${NAME}, where NAME is the setting's variable without
// BELFRY_, or the field's name.
func helpTexts() map[string]string {
	return map[string]string{
		"backend":    "embedded (SQLite, one machine) or aws (SQS, SNS, DynamoDB, S3; standard AWS environment).",
		"data":       "Directory of the embedded backend; made if it is not there. Processes on one machine may share it.",
		"visibility": "After how long the queue messages of a killed process come back, 1s to 12h.",
		"late_after": "After how long without a sign of life a delivery's queue message counts as lost and is sent anew, 1s to 24h. " +
			"--visibility comes on top; six times that while its queue is full.",
		"aws_prefix": "With --backend aws: what the names of queues, topics and tables begin with.",
		"aws_bucket": "With --backend aws: the S3 bucket. Default: PREFIX-pages-ACCOUNT-REGION.",
		"audit_key": "Key that signs the audit log, from belfry audit key; former ones behind it, with commas. Default: one that is kept " +
			"in the store. Prefer the variable.",
		"api_key": "Key that callers may send beside those that belfry key makes. Prefer the variable: arguments are visible to other " +
			"users.",
		"require_key": "Refuse requests without an API key, and make and show one if there is none. Default: beyond the loopback interface, " +
			"where it cannot be off. A first start shows a key in any case, but for a sandbox, or if this is off.",
		"fcm_credentials": "Service-account key file (JSON), or adc for Google's application default credentials.",
		"seal_key": "Key that seals the FCM credentials of apps, as openssl rand -base64 32 makes one; several with commas: the first seals, " +
			"all open. Every process that takes or uses credentials needs the same. Prefer the variable: arguments are visible to other users.",
		"seal_kms_key": "Instead: id, ARN or alias of an AWS KMS key (standard AWS environment). Keys of BELFRY_SEAL_KEY still open.",
		"fcm_url":      "Base URL up to /v1.",
		"fcm_project":  "Firebase project id. Default: the one in the key file.",
		"fcm_http": "Client of HTTP/2: own, or nethttp (Go's net/http: more processor time, and it tells less often that a failed " +
			"request was not sent).",
		"fcm_connections": "HTTP/2 connections, 1 to 100; each carries about 100 requests at a time.",
		"fcm_per_second":  "Most sends a second with a project, 1 to 1000000. FCM's default quota is 600,000 a minute.",
		"fcm_shared_quota": "Whether all processes together keep to BELFRY_FCM_PER_SECOND: on, off, or auto: on, but for belfry up on " +
			"the embedded backend, which has the project to itself.",
		"max_attempts": "Tries per recipient before the dead letter, 1 to 100. Waiting for the breaker or a rate limit is not a try.",
		"brake_after": "Recipients refused alike, for a reason that is not about their tokens, before the others of the notification, or " +
			"of its platform, are held for an operator: 0 (nobody is held) to 1000.",
		"record_unknown_devices": "Register tokens first seen in a send, so that dead ones are remembered.",
		"high_chunks": "High lane: chunks (of up to 500 recipients) in hand at once, 1 to 1000. FCM connections carry about 100 requests " +
			"each, for all lanes together.",
		"high_window": "High lane: requests of one chunk under way at once, 1 to 500.",
		"high_retries": "High lane: chunks in hand at once that hold nothing but retries, 1 to 1000; fewer than --high-chunks leave " +
			"places for first attempts.",
		"bulk_chunks":    "Bulk lane: chunks in hand at once, 1 to 1000. A crash repeats at most window + 50 sends of each.",
		"bulk_window":    "Bulk lane: requests of one chunk under way at once, 1 to 500.",
		"replay_chunks":  "Replay lane: chunks in hand at once, 1 to 1000.",
		"replay_window":  "Replay lane: requests of one chunk under way at once, 1 to 500.",
		"drain":          "On SIGTERM, how long work under way may take to finish, 0s to 15m.",
		"metrics_listen": "Address of /healthz, /readyz and /metrics; empty for none.",
		"emf": "Write the metrics that alarms and autoscaling on AWS need to standard output every minute, in CloudWatch's embedded " +
			"metric format.",
		"allowed_hosts": "Further host names under which listeners without a key are reached, as behind a proxy, and whose web pages may " +
			"send requests; *.example.com for all below it, * for any.",
		"max_connections": "Connections that each listener has open at a time, 1 to 1000000; one more is answered 503.",
		"sim_listen":      "Address of the FCM simulator. It asks for no key.",
		"sim_latency":     "Median time that it takes to answer, 0s to 10m.",
		"sim_quota":       "Sends a minute before it answers 429; 0 for no limit. FCM's default is 600000.",
		"sim_keep":        "Accepted messages that it keeps, 1 to 100000000, in 256 bytes each on average; the oldest are dropped.",
		"api_key_server":  "API key. Prefer the variable: arguments are visible to other users.",
		"sandbox": "Run the FCM simulator too and send to it. Nothing goes to Google, whatever --fcm-endpoint and --fcm-credentials " +
			"say.",
		"sim_lean": "Serve HTTP/2 with a server of our own that takes a fraction of the processor time: for benchmarks, and only " +
			"them.",
		"separate": "Run one big batch through ingest and dispatcher as processes of their own, found beside this program, and " +
			"measure upload, watching, sending and report.",
		"accept_rate": "Measure accepting alone: so many single notifications a second, 1 to 100000, each at its time whether or not " +
			"answers are late, and delivered meanwhile: by belfry up in a process of its own, with --separate by ingest and dispatcher.",
		"accept_within": "Find the highest rate, beginning with --accept-rate, at which 99 % of requests are accepted within this, 0s to 1m.",
		"beside": "With --accept-rate: its notifications have high priority, and a batch of so many recipients drains beside them, up to " +
			"10000000.",
		"lost": "What to go on without: queue.db, pages.db, queue.db-wal, store.db-wal or pages.db-wal, as belfry doctor names " +
			"it; or messages, when a queue was purged, made anew or restored.",
		"api":            "URL of a running server. Without it the command works on the backend directly.",
		"api_server":     "URL of the server (default: http://127.0.0.1:8080).",
		"api_key_direct": "API key of that server. Prefer the variable: arguments are visible to other users.",
		"keep_notifications": "Embedded backend: how long a notification is kept, with what became of every delivery, after its last " +
			"change, where its tenant has no keep_days, and at most; 72h to 87600h, 0s for ever. With --backend aws it is 90 days.",
		"keep_pages": "Embedded backend: how long the pages of uploads are kept after their batch has ended; 1h to 87600h, 0s for ever. " +
			"With --backend aws it is what the bucket's lifecycle rule says.",
		"keep_replays": "How long the record of a replay is kept after its end, and after its last letter, and a simulation; 1h to " +
			"87600h, 0s for ever.",
		"keep_audit": "How long an entry of the audit log is kept; 720h to 87600h, 0s for ever. A signed checkpoint stands for what was " +
			"removed.",
		"keep_parked":  "How long a letter waits for an operator before it is discarded, with a tombstone; 0s for ever.",
		"keep_warning": "How long before that it is warned of.",
		"keep_done":    "How long replayed and discarded letters are kept; 0s for ever.",
	}
}
