package arch

import (
	"path"
	"slices"
	"strings"
)

// rule says what the packages it covers may import. Packages of the module are
// written as paths below it. A pattern is one path, or a path with /... behind
// it, which is that path and everything below, as for the go command.
type rule struct {
	layer  string // with its article, as faults name it: a room
	covers []string

	// uses are the packages of the module that may be imported.
	uses []string
	// testsUse are those that only test files may import, beside uses.
	testsUse []string
	// strict limits imports from outside the module to outside, for code and
	// not for tests; otherwise anything may be imported that no other field bars.
	strict  bool
	outside []string
	// notStd are packages of the standard library that must not be imported.
	notStd []string
	// notReached are packages that must not even be reached through others.
	notReached []string
}

// The layers that several rules share.
func words() []string {
	return []string{
		"internal/strict", "internal/message", "internal/regional", "internal/visible", "internal/push", "internal/request", "internal/ledger",
		"internal/wire", "internal/clock",
	}
}

func machinery() []string {
	return []string{"internal/worker", "internal/sharedrate", "internal/guard"}
}

func rooms() []string {
	return []string{
		"internal/ingest", "internal/batch", "internal/fanout", "internal/deliver",
		"internal/deliver/lease", "internal/deliver/brake", "internal/deliver/isolation", "internal/deliver/pace",
		"internal/outcome", "internal/letters", "internal/replay", "internal/replay/predict",
		"internal/device", "internal/report", "internal/janitor", "internal/retention", "internal/audit/journal", "internal/usage",
		"internal/credential", "internal/privacy", "internal/pause", "internal/override", "internal/quota",
		"internal/closing", "internal/status", "internal/tail",
	}
}

// ports are packages of a port and the record that it keeps, no more: rooms and
// adapters alike speak of them.
func ports() []string {
	return []string{"internal/idempotency", "internal/document", "internal/audit"}
}

// entitling is what says who may what: rooms and doors alike ask it.
func entitling() []string { return []string{"internal/access"} }

// listening is what everything that listens stands behind.
func listening() []string {
	return []string{"internal/sameorigin", "internal/connlimit"}
}

// The SDKs are told apart because an adapter may reach its own and no other.
func awsSDK() []string {
	return []string{"github.com/aws/..."}
}

func firebaseSDK() []string {
	return []string{"firebase.google.com/...", "cloud.google.com/...", "google.golang.org/api/...", "google.golang.org/grpc/..."}
}

func sqlDriver() []string {
	return []string{"modernc.org/sqlite/..."}
}

func allSDKs() []string {
	return slices.Concat(awsSDK(), firebaseSDK(), sqlDriver(), tracing())
}

// tracing is OpenTelemetry: its SDK, its exporters and the protocol. Its API is not listed, because
// Google's client reaches that by itself; internal/trace is what Belfry's packages use instead, so that a
// span nobody keeps costs them a few fields, and no room chooses attributes of its own.
func tracing() []string {
	return []string{"go.opentelemetry.io/otel/sdk/...", "go.opentelemetry.io/otel/exporters/...", "go.opentelemetry.io/proto/..."}
}

// transport and storage of the standard library. It is barred by import, not by
// reach: prometheus/client_golang itself imports net/http.
func transport() []string {
	return []string{"net/http/...", "net/rpc/...", "database/sql/..."}
}

// sides are the packages that see a room or an adapter and must not be seen by one.
func sides() []string {
	return []string{
		"internal/httpapi/...", "internal/app/...", "internal/cli/...", "internal/demo", "internal/bench", "internal/config", "client", "cmd/...",
	}
}

// httpapi are the packages of the HTTP API that know rooms.
func httpapi() []string {
	return []string{
		"internal/httpapi", "internal/httpapi/deadletters", "internal/httpapi/describe", "internal/httpapi/pages", "internal/httpapi/tenants",
		"internal/httpapi/views", "internal/httpapi/auditlog", "internal/httpapi/overview", "internal/httpapi/following",
		"internal/httpapi/console",
	}
}

// httpRigs are what the tests of the HTTP API share.
func httpRigs() []string {
	return []string{"internal/httpapi/door/doortest", "internal/httpapi/deadletters/deadletterstest"}
}

// shared is what any test may import: the suites, and what sizes tests for the race
// detector.
func shared() []string { return append(suites(), "test/raced") }

// suites are the conformance suites. They are test code that is importable, so
// only tests and other suites import them.
func suites() []string {
	return []string{
		"internal/worker/workertest", "internal/device/devicetest", "internal/ledger/ledgertest",
		"internal/idempotency/idempotencytest", "internal/document/documenttest", "internal/batch/batchtest",
		"internal/fcmsim/fcmsimtest", "internal/letters/letterstest", "internal/message/messagetest", "internal/wire/wiretest",
		"internal/sharedrate/sharedratetest", "internal/quota/quotatest",
		"internal/audit/audittest", "internal/tail/tailtest", "internal/adapter/emf/emftest",
	}
}

// table is the house, in the order in which a notification walks through it.
// The first rule that covers a package is its rule.
func table() []rule {
	told := []string{"internal/telemetry", "internal/telemetry/about", "internal/trace"}
	pure := slices.Concat(words(), machinery(), ports(), entitling(), told)
	blind := slices.Concat(allSDKs(), sides(), []string{"internal/adapter/..."})

	return []rule{
		// The words: each knows the ones before it and the standard library.
		word("internal/strict"),
		word("internal/message", "internal/strict"),
		word("internal/visible"),
		speaking(word("internal/regional"), "golang.org/x/text/..."), // the registry of language tags
		word("internal/push", "internal/strict", "internal/message", "internal/regional"),
		word("internal/request", "internal/strict", "internal/message", "internal/push"),
		word("internal/ledger", "internal/push"),
		word("internal/wire", "internal/strict", "internal/message", "internal/push", "internal/request", "internal/ledger"),
		word("internal/clock"),
		{
			layer: "a suite", covers: suites(),
			uses:       slices.Concat(pure, rooms(), suites(), []string{"internal/fcmsim"}),
			notReached: blind,
		},

		{
			layer: "a piece of machinery", covers: machinery(),
			uses:     slices.Concat(words(), machinery(), []string{"internal/telemetry", "internal/telemetry/about", "internal/document"}),
			testsUse: shared(),
			notStd:   transport(), notReached: blind,
		},

		{
			layer: "a port", covers: ports(),
			uses: words(), testsUse: shared(),
			notStd: transport(), notReached: blind,
		},

		// Who may what: rooms and doors alike ask for callers, permissions and settings.
		{
			layer: "who may what", covers: entitling(),
			uses: append(words(), "internal/document"), testsUse: shared(),
			notStd: transport(), notReached: blind,
		},

		// The rooms: no room imports another, but for two. deliver stands on four rooms of its own; replay sends again what
		// letters keeps, if predict says so.
		{
			layer: "a room", covers: []string{"internal/deliver"},
			uses: append(slices.Clone(pure), "internal/deliver/lease", "internal/deliver/brake", "internal/deliver/isolation",
				"internal/deliver/pace"),
			testsUse: shared(), notStd: transport(), notReached: blind,
		},
		{
			layer: "a room", covers: []string{"internal/replay"},
			uses: append(slices.Clone(pure), "internal/letters", "internal/replay/predict"), testsUse: shared(),
			notStd: transport(), notReached: blind,
		},
		{
			layer: "a room", covers: []string{"internal/replay/predict"},
			uses: append(slices.Clone(pure), "internal/letters"), testsUse: shared(),
			notStd: transport(), notReached: blind,
		},
		{
			layer: "a room", covers: rooms(),
			uses: pure, testsUse: shared(),
			notStd: transport(), notReached: blind,
		},

		// The adapters: each reaches its own SDK and no other.
		adapter("fcm", awsSDK(), sqlDriver()),
		adapter("sqlite", awsSDK(), firebaseSDK()),
		adapter("sqs", firebaseSDK(), sqlDriver()),
		adapter("sns", firebaseSDK(), sqlDriver()),
		adapter("dynamo", firebaseSDK(), sqlDriver()),
		adapter("awsconf", firebaseSDK(), sqlDriver()),
		adapter("awsmeter", firebaseSDK(), sqlDriver()),
		adapter("s3", firebaseSDK(), sqlDriver()),
		adapter("kms", firebaseSDK(), sqlDriver()),
		adapter("otlp", awsSDK(), firebaseSDK(), sqlDriver()),
		adapter("packed", allSDKs()),
		adapter("emf", allSDKs()),

		// The other edges and the house.
		{
			layer: "an edge", covers: httpapi(),
			uses:       append(slices.Concat(pure, rooms(), listening(), httpapi()), "internal/httpapi/door", "client"),
			testsUse:   append(shared(), httpRigs()...),
			notStd:     []string{"database/sql/..."},
			notReached: append(allSDKs(), "internal/adapter/...", "internal/app/...", "internal/cli/...", "internal/config"),
		},
		// What all routes have in common knows no resource and no room.
		{
			layer: "machinery of an edge", covers: []string{"internal/httpapi/door"},
			uses: append(words(), "internal/access", "internal/audit", "internal/idempotency", "internal/telemetry", "internal/sameorigin",
				"internal/trace", "client"),
			testsUse: append(httpRigs(), "internal/document/documenttest"),
			notStd:   []string{"database/sql/..."},
			notReached: slices.Concat(allSDKs(), rooms(), httpapi(),
				[]string{"internal/adapter/...", "internal/app/...", "internal/cli/...", "internal/config"}),
		},
		{
			layer: "a rig of an edge", covers: httpRigs(),
			uses:       append(slices.Concat(pure, rooms(), suites(), listening()), "internal/httpapi/door", "client"),
			notReached: append(allSDKs(), "internal/adapter/...", "internal/app/...", "internal/cli/...", "internal/config"),
		},
		{
			layer: "an edge", covers: []string{"internal/fcmsim/..."},
			uses: append(slices.Concat(words(), listening()), "internal/telemetry", "internal/fcmsim/..."), testsUse: shared(),
			notReached: append(allSDKs(), "internal/adapter/..."),
		},
		{
			layer: "part of the house", covers: []string{"internal/telemetry"},
			uses:   []string{"internal/clock", "internal/visible"},
			notStd: transport(), notReached: allSDKs(),
		},
		// What lines of the log say they are about.
		{
			layer: "part of the house", covers: []string{"internal/telemetry/about"}, uses: append(words(), "internal/telemetry"),
			notStd: transport(), notReached: allSDKs(),
		},
		// What spans are, for whoever makes them: it knows no SDK.
		{
			layer: "a word", covers: []string{"internal/trace"}, uses: []string{"internal/telemetry"}, strict: true,
			notStd: transport(), notReached: allSDKs(),
		},
		{
			layer: "part of the house", covers: listening(), strict: true, outside: []string{"go.uber.org/zap"},
		},
		{
			layer: "part of the house", covers: []string{"internal/config"},
			uses: append(words(), "internal/telemetry", "internal/sameorigin"), notReached: append(allSDKs(), "internal/adapter/..."),
		},
		// The programs: what they have in common, and a package for each, which reaches no more than its program needs.
		house("internal/app", slices.Concat(pure, rooms(), listening(), storage(), []string{
			"internal/httpapi", "internal/httpapi/door", "internal/provision", "internal/cost",
		})),
		house("internal/app/breakers", slices.Concat(pure, []string{
			"internal/report", "internal/replay/predict", "internal/override", "internal/credential",
		})),
		house("internal/app/deadletters", slices.Concat(pure, rooms(), []string{
			"internal/app", "internal/app/breakers", "internal/httpapi", "internal/httpapi/door", "internal/cost",
		})),
		house("internal/app/ingester", slices.Concat(pure, rooms(), listening(), asking(), []string{
			"internal/app", "internal/app/breakers", "internal/app/deadletters", "internal/httpapi", "internal/httpapi/door", "internal/cost",
		})),
		sending(house("internal/app/dispatcher", slices.Concat(pure, rooms(), []string{
			"internal/app", "internal/app/breakers", "internal/adapter/fcm",
		})), simulator()),
		sending(house("internal/app/allinone", slices.Concat(words(), []string{
			"internal/status",
			"internal/app", "internal/app/dispatcher", "internal/app/ingester", "internal/adapter/fcm", "internal/fcmsim", "internal/trace",
		}))),
		withStandIns(sending(house("internal/app/operations", slices.Concat(pure, rooms(), storage(), []string{
			"internal/app", "internal/app/dispatcher", "internal/adapter/fcm", "internal/doctor", "internal/provision",
		})), simulator())),
		// The command lines: one package a program, on what they share; none knows the other's.
		{
			layer: "part of the house", covers: []string{
				"internal/cli/display", "internal/cli/progress", "internal/cli/clitest", "internal/cli/command",
			},
			uses: append(words(), "internal/config", "internal/telemetry", "internal/visible", "internal/cli/display", "docs/runbooks",
				"client", "test/raced"),
			testsUse: []string{"internal/cli/..."},
		},
		{
			layer: "the command line of belfry", covers: []string{"internal/cli/belfry"},
			uses: slices.Concat(words(), []string{
				"internal/app/allinone", "internal/config", "internal/telemetry", "internal/cli/display", "internal/cli/command",
				"internal/cli/remote", "internal/cli/operate", "internal/cli/audits", "internal/cli/live", "internal/cli/top",
			}),
			testsUse: append(shared(), "internal/cli/clitest", "client"),
		},
		{
			layer: "the live view", covers: []string{"internal/cli/top"},
			uses: append(words(), "internal/letters", "internal/config", "internal/visible", "internal/cli/display", "internal/cli/direct",
				"internal/cli/live", "client"),
			testsUse: append(shared(), "internal/cli/clitest", "internal/cli/command"),
		},
		{
			layer: "part of the house", covers: []string{"internal/cli/..."},
			uses: slices.Concat(pure, rooms(), []string{
				"internal/app/...", "internal/config", "internal/cli/display", "internal/cli/progress", "internal/cli/command", "internal/fcmsim",
				"internal/cli/direct",
				"internal/provision", "internal/doctor", "internal/cost", "client",
			}),
			testsUse: append(shared(), "internal/cli/clitest"),
		},
		{
			layer: "part of the house", covers: []string{"internal/demo", "internal/bench"},
			uses: []string{
				"internal/app/...", "internal/config", "internal/cli/progress", "internal/visible", "internal/wire", "internal/cost",
				"internal/adapter/awsmeter", "internal/trace", "internal/telemetry", "internal/cli/belfry", "internal/cli/display",
				"docs/runbooks", "infra/alerts", "client",
			},
		},
		{layer: "part of the house", covers: []string{"internal/arch"}, strict: true},
		{layer: "a document", covers: []string{"docs/..."}, testsUse: []string{"internal/push"}, strict: true},

		{
			layer: "part of the house", covers: []string{"internal/provision", "internal/doctor", "internal/cost"},
			uses: append(slices.Clone(pure), "internal/adapter/...", "internal/config", "internal/provision",
				"internal/credential", "internal/audit/journal"),
			testsUse: append(shared(), "test/standins", "internal/fcmsim"),
		},

		// main is a doorbell: it wires nothing, so that a test can start the service too.
		// A program that does not send contains nothing of FCM.
		{
			layer: "the main of ingest", covers: []string{"cmd/ingest"},
			uses:       []string{"internal/app", "internal/app/ingester", "internal/config", "internal/telemetry"},
			notReached: append(fcm(), simulator()...),
		},
		{
			layer: "the main of the dispatcher", covers: []string{"cmd/dispatcher"},
			uses:       []string{"internal/app", "internal/app/dispatcher", "internal/config", "internal/telemetry"},
			notReached: append(simulator(), "internal/app/ingester"),
		},
		{
			layer: "the main of dlq-replayer", covers: []string{"cmd/dlq-replayer"},
			uses:       []string{"internal/cli/replayer"},
			notReached: append(fcm(), simulator()...),
		},
		{
			layer: "the main of belfry", covers: []string{"cmd/belfry"},
			uses: []string{
				"internal/app", "internal/app/allinone", "internal/app/operations", "internal/config", "internal/telemetry",
				"internal/cli/belfry", "internal/demo", "internal/bench",
			},
		},

		// What others import: a user of the client gets nothing of the inside.
		{
			layer: "the public client", covers: []string{"client"},
			testsUse: []string{"internal/..."},
			strict:   true, outside: []string{"github.com/google/uuid"},
		},

		// An example uses what its readers have.
		{layer: "an example", covers: []string{"examples/..."}, uses: []string{"client"}},

		// What only tests: whole processes, and the infrastructure's files.
		{
			layer: "an infrastructure test", covers: []string{"infra/..."},
			testsUse: []string{"internal/config", "internal/provision", "internal/adapter/...", "internal/push"},
		},
		{
			layer: "what makes a release", covers: []string{"packaging/..."},
			uses: []string{"internal/cli/belfry", "internal/cli/replayer", "internal/cli/command", "internal/config"},
		},
		{layer: "an end-to-end test", covers: []string{"test/..."}, uses: []string{"internal/...", "client", "test/..."}},
	}
}

func word(name string, uses ...string) rule {
	return rule{
		layer: "a word", covers: []string{name},
		uses: uses, testsUse: shared(),
		strict: true, outside: []string{"github.com/google/uuid"},
		notStd: append(transport(), "os", "os/exec", "net"),
	}
}

// speaking lets a word use a module from outside besides ids.
func speaking(r rule, module string) rule {
	r.outside = append(r.outside, module)
	return r
}

// storage are the drivers of the two backends.
func storage() []string {
	return []string{
		"internal/adapter/sqlite", "internal/adapter/dynamo", "internal/adapter/s3", "internal/adapter/sns", "internal/adapter/sqs",
		"internal/adapter/awsconf", "internal/adapter/awsmeter", "internal/adapter/kms", "internal/adapter/otlp",
		"internal/adapter/emf",
	}
}

// asking are the parts of the adapter of FCM that take a credential in: they read a key file and
// ask Google about it. They cannot send a notification.
func asking() []string { return []string{"internal/adapter/fcm/keyfile", "internal/adapter/fcm/probe"} }

// fcm is what only a program that sends contains: Google's client, which brings
// gRPC, and our own sender.
func fcm() []string {
	return append(firebaseSDK(), "golang.org/x/oauth2/google/...", "internal/adapter/fcm", "internal/adapter/fcm/h2",
		"internal/adapter/fcm/nethttp", "internal/adapter/fcm/transport")
}

// simulator is what belfry alone contains: the simulator, and what draws its live view.
func simulator() []string {
	return []string{"internal/fcmsim/...", "charm.land/...", "github.com/charmbracelet/..."}
}

// house is the rule of a package of the programs. It reaches neither FCM nor the
// simulator unless it is sending.
func house(name string, uses []string) rule {
	return rule{
		layer: "part of the house", covers: []string{name},
		uses: append(uses, "internal/config"), testsUse: append(shared(), storage()...),
		notReached: append(fcm(), simulator()...),
	}
}

// sending lets a package of the programs reach FCM, but nothing of others.
func sending(r rule, others ...[]string) rule {
	r.notReached = slices.Concat(others...)
	r.testsUse = append(r.testsUse, "client")
	return r
}

// withStandIns lets the tests of a package run against what stands in for AWS.
func withStandIns(r rule) rule {
	r.testsUse = append(r.testsUse, "test/standins")
	return r
}

// adapter is the rule of a driver: it may use the words' types and worker's
// message, and reach the SDKs that are not barred. Its tests run the
// conformance suites, which bring the rooms' ports with them.
func adapter(name string, barred ...[]string) rule {
	return rule{
		layer: "an adapter", covers: []string{"internal/adapter/" + name + "/..."},
		uses: append(slices.Concat(words(), ports()), "internal/worker", "internal/telemetry", "internal/trace", "internal/adapter/awsconf",
			"internal/adapter/awsmeter", "internal/adapter/packed", "internal/adapter/"+name+"/..."),
		testsUse:   slices.Concat(shared(), rooms(), []string{"internal/fcmsim", "test/standins"}),
		notReached: slices.Concat(slices.Concat(barred...), rooms(), sides()),
	}
}

// ruleFor finds the rule of a package of the module.
func ruleFor(rules []rule, name string) (rule, bool) {
	for _, r := range rules {
		if matchAny(r.covers, name) {
			return r, true
		}
	}
	return rule{}, false
}

// isSuite reports whether name is a conformance suite: <parent>/<parent>test.
func isSuite(name string) bool {
	return path.Base(name) == path.Base(path.Dir(name))+"test"
}

func matchAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if root, ok := strings.CutSuffix(p, "/..."); ok {
			return name == root || strings.HasPrefix(name, root+"/")
		}
		return name == p
	})
}
