package remote

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/belfry-push/belfry/internal/cli/clitest"
	"github.com/belfry-push/belfry/internal/cli/display"
)

// step is a command line that somebody gives, how it ends, and what it says.
type step struct {
	who, line string
	code      int
	says      []string
}

// In words of its own a step's line may name what earlier steps printed: {name}.
var named = regexp.MustCompile(`\{[a-z]+\}`)

// follow runs steps one after the other, each in a terminal, in which no line of a result is too wide. Whatever
// -o json prints is JSON.
func (h *house) follow(names map[string]string, steps []step) {
	h.t.Helper()
	for _, s := range steps {
		line := named.ReplaceAllStringFunc(s.line, func(name string) string {
			text, ok := names[strings.Trim(name, "{}")]
			if !ok {
				h.t.Fatalf("%s: nothing printed %s", s.line, name)
			}
			return text
		})
		r := h.as(s.who, strings.Fields(line)...)
		if r.Code != s.code {
			h.t.Errorf("%s: exit code %d, want %d", s.line, r.Code, s.code)
		}
		for _, text := range s.says {
			if !strings.Contains(r.Out+r.Err, text) {
				h.t.Errorf("%s: belfry %s: nothing says %q:\n%s%s", s.who, s.line, text, r.Out, r.Err)
			}
		}
		if strings.HasSuffix(line, "-o json") {
			for in := json.NewDecoder(strings.NewReader(r.Out)); in.More(); {
				if err := in.Decode(new(any)); err != nil {
					h.t.Errorf("%s: no JSON: %v\n%s", s.line, err, r.Out)
					break
				}
			}
		} else if !strings.HasSuffix(line, "-o wide") && !strings.HasPrefix(r.Out, "{") {
			clitest.Fits(h.t, "belfry "+s.line, r.Out, columns)
		}
	}
}

const (
	unseen  = "it does not exist, is past its retention, or belongs to another tenant"
	another = "Another key may be another tenant's"
)

// makeKey gives somebody the key that the command prints: it is alone on standard output.
func (h *house) makeKey(maker, holder, flags string) (id string) {
	h.t.Helper()
	r := h.as(maker, strings.Fields("key create "+flags)...)
	r.Expect(h.t, display.ExitOK, "This is the only time that the key is shown")
	key := strings.TrimSuffix(r.Out, "\n")
	if !regexp.MustCompile(`^blf_live_[a-z0-9]+_\w+_[0-9a-f]{8}$`).MatchString(key) || strings.Contains(r.Err, key) {
		h.t.Fatalf("standard output has\n%s\nstandard error\n%s", r.Out, r.Err)
	}
	h.keys[holder] = key
	return strings.Split(key, "_")[2]
}

// An operator, owners of two tenants and keys of less use every command about tenants on a whole Belfry.
func TestTenancyCommands(t *testing.T) {
	t.Parallel()
	h := serve(t)
	names := map[string]string{}
	h.follow(names, []step{
		{"", "key list", display.ExitOK, []string{"no keys yet: belfry key create makes one"}},
		{"", "tenant create acme", display.ExitFailure, []string{"make one first, with belfry key create --role owner"}},
	})
	h.makeKey("", "operator", "--role owner --name operator")
	h.follow(names, tenantSteps())
	h.makeKey("operator", "owner", "--tenant acme --role owner --name admin")
	h.makeKey("operator", "rival", "--tenant rival --role owner")
	h.follow(names, appSteps())
	names["sender"] = h.makeKey("owner", "sender", "--role sender --app shop --name checkout --network 127.0.0.0/8,::1/128 --expires-in 90d")
	h.makeKey("owner", "viewer", "--role viewer --scope read")
	h.follow(names, keySteps())
	h.follow(names, roleSteps())
	h.follow(names, configSteps())
	h.follow(names, restSteps())
	h.follow(names, endSteps())
}

func tenantSteps() []step {
	const ok, no, usage = display.ExitOK, display.ExitFailure, display.ExitUsage
	return []step{
		{"operator", "key list", ok, []string{"ID ", "STATE", "owner", "operator"}},
		{"operator", "key list -o wide", ok, []string{"NETWORKS", "anonymous"}},
		{"operator", "tenant create acme --about Acme weight=3 notifications_per_minute=6000 ttl=6h", ok, []string{
			"tenant                    acme\n", "ttl                       21600\n", "weight                    3\n",
			"From now on requests without an API key are refused",
		}},
		{"operator", "tenant create acme", no, []string{"acme names another tenant, or did"}},
		{"operator", "tenant create Acme", no, []string{"/name: must be 1 to 40 of a-z, 0-9 and -, beginning with", `(got "Acme")`}},
		{"operator", "tenant create x weigt=3", usage, []string{`there is no setting "weigt"; did you mean "weight"?`}},
		{"operator", "tenant create x weight", usage, []string{"weight: must be NAME=VALUE, such as ttl=1h"}},
		{"operator", "tenant create x weight=x", usage, []string{`weight: must be a whole number (got "x")`}},
		{"operator", "tenant create x weight=1 weight=2", usage, []string{"weight: is given twice"}},
		{"operator", "tenant create x require_signed=yes", usage, []string{`require_signed: must be true or false (got "yes")`}},
		{"operator", "tenant create x weight=1000", no, []string{"/settings/weight: must be 1 to 100 (got 1000)"}},
		{"operator", "tenant create rival -o json", ok, []string{`"name": "rival"`}},
		{"operator", "tenant list", ok, []string{"NAME     ABOUT  WEIGHT  AGE\n", "default", "acme     Acme        3  "}},
		{"operator", "tenant list -o json", ok, []string{`{"name":"default","settings":{}}`}},
		{"operator", "tenant show acme", ok, []string{"notifications_per_minute  6000"}},
		{"operator", "tenant show acme -o json", ok, []string{`"about": "Acme"`}},
		{"operator", "tenant show nobody", no, []string{unseen, another}},
		{"operator", "tenant set acme weight=5 ttl=inherit", ok, []string{"weight                    5\n"}},
		{"operator", "tenant set acme", usage, []string{"nothing to change: give NAME=VALUE, or --about TEXT"}},
		{"operator", "tenant set nobody weight=5", no, []string{unseen}},
	}
}

func appSteps() []step {
	const ok, no, usage = display.ExitOK, display.ExitFailure, display.ExitUsage
	return []step{
		{"rival", "tenant show acme", no, []string{unseen, another}},
		{"owner", "tenant show acme", ok, []string{"weight                    5\n"}},
		{"owner", "tenant list", no, []string{"this needs the permission platform", "use a key with a role and scopes that allow it"}},
		{"owner", "tenant set acme weight=50", no, []string{"weight may be changed by the platform's operator only", "ask the operator"}},
		{"owner", "tenant set acme ttl=2h --about Acme", ok, []string{"ttl                       7200\n"}},
		{"owner", "app create shop ttl=1h", ok, []string{"tenant   acme\n", "ttl      3600\n"}},
		{"owner", "app create shop", no, []string{"shop names another app, or did"}},
		{"owner", "app create bank -o json", ok, []string{`"name": "bank"`}},
		{"owner", "app create bank ttl=soon", usage, []string{`ttl: must be a whole number (got "soon")`}},
		{"owner", "app list", ok, []string{"NAME     ABOUT  AGE\n", "default\n", "shop            "}},
		{"owner", "app list -o json", ok, []string{`"name": "shop"`}},
		{"rival", "app list --tenant acme", no, []string{unseen}},
		{"rival", "app show shop", no, []string{unseen}},
		{"owner", "app show shop", ok, []string{"ttl      3600\n"}},
		{"owner", "app show shop -o json", ok, []string{`"ttl": 3600`}},
		{"owner", "app set shop ttl=15m delivery_guarantee=at_most_once", ok, []string{"delivery_guarantee  at_most_once\n"}},
		{"owner", "app set shop delivery_guarantee=perhaps", no, []string{`must be one of at_least_once, at_most_once (got "perhaps")`}},
		{"owner", "app set shop", usage, []string{"nothing to change"}},
		{"owner", "app delete shop", usage, []string{"End the app shop? Nothing is accepted for it any more. Give --yes."}},
	}
}

func keySteps() []step {
	const ok, no, usage = display.ExitOK, display.ExitFailure, display.ExitUsage
	return []step{
		{"owner", "key create --role nobody", no, []string{`/role: must be a role of the tenant (got "nobody"): GET /v1/roles lists them`}},
		{"owner", "key create --expires-in tomorrow", usage, []string{`--expires-in: must be a time such as 12h or 90d (got "tomorrow")`}},
		{"owner", "key create --expires-in 99999999d", usage, []string{"--expires-in: must be a time such as 12h or 90d"}},
		{"owner", "key create --network everywhere", no, []string{`/networks/0: must be a network such as 203.0.113.0/24`, `(got "everywhere")`}},
		{"owner", "key create --app nothere", no, []string{`/app: must be an app of the tenant (got "nothere")`}},
		{"owner", "key create --scope reed", no, []string{`did you mean "read"?`}},
		{"sender", "key create", no, []string{"this needs the permission admin"}},
		{"owner", "key create -o json", ok, []string{`"key": "blf_live_`, "Requests without a key are refused."}},
		{"owner", "key list", ok, []string{"admin", "sender          shop  checkout"}},
		{"owner", "key list --live -o json", ok, []string{`"state": "live"`}},
		{"owner", "key show {sender}", ok, []string{"networks  127.0.0.0/8 ::1/128\n", "(in 89 d)"}},
		{"owner", "key show {sender} -o json", ok, []string{`"role": "sender"`}},
		{"rival", "key show {sender}", no, []string{unseen, another}},
		{"rival", "key revoke {sender}", no, []string{unseen, another}},
		{"owner", "key rotate {sender} --overlap x", usage, []string{`--overlap: must be a time such as 12h or 7d (got "x")`}},
		{"owner", "key rotate {sender} --overlap 31d", no, []string{"/overlap: must be a duration such as 24h, from 0s to 720h"}},
		{"owner", "key rotate {sender} --overlap 7d", ok, []string{"replaces  ", "This is the only time"}},
		{"owner", "key signing {sender} --off --required", usage, []string{"--off and --required: give one of them"}},
		{"owner", "key signing {sender} -o json", ok, []string{`"secret": "whsec_`, `"signing": "allowed"`}},
		{"owner", "key signing {sender} --off -o json", ok, []string{`"state": "live"`}},
		{"owner", "key signing {sender} --required", ok, []string{"whsec_", "signing   required\n", "the only time that the secret is shown"}},
		{"owner", "key signing {sender} --off", ok, []string{"expires   "}},
		{"owner", "key revoke {sender}", ok, []string{"revoked\n"}},
		{"owner", "key revoke {sender}", ok, []string{"revoked\n"}},
		{"owner", "key revoke none", no, []string{"key none: ", unseen}},
	}
}

func roleSteps() []step {
	const ok, no = display.ExitOK, display.ExitFailure
	return []step{
		{"owner", "role list", ok, []string{"NAME      BUILT IN  ABOUT\n", "auditor   yes       sees states and who did what\n    read audit\n"}},
		{"owner", "role create support read read_payload --about helpdesk", ok, []string{"permissions  read read_payload\n"}},
		{"owner", "role list -o json", ok, []string{`"about": "helpdesk"`}},
		{"owner", "role create support read", no, []string{"support names another role, or did"}},
		{"owner", "role create owner read", no, []string{"/name: owner is built in: choose another name"}},
		{"owner", "role create x fly", no, []string{"/permissions/0: must be one of send, ", `(got "fly")`}},
		{"owner", "role create other read -o json", ok, []string{`"name": "other"`}},
		{"owner", "role delete other", ok, []string{"other deleted\n"}},
		{"owner", "role delete other", no, []string{unseen}},
		{"owner", "role delete owner", no, []string{"\n    owner is built in and can't be deleted"}},
		{"viewer", "role create z read", no, []string{"this needs the permission admin"}},
	}
}

func configSteps() []step {
	const ok, no = display.ExitOK, display.ExitFailure
	return []step{
		{"owner", "config effective", ok, []string{"ttl                        7200           tenant\n", "keep_days "}},
		{"owner", "config effective --app shop -o json", ok, []string{`"ttl": "app"`, `"ttl": 900`}},
		{"owner", "config effective --app nothere", no, []string{unseen}},
		{"owner", "config platform ttl=12h", no, []string{"this needs the permission platform"}},
		{"operator", "config platform", ok, []string{"settings  none: Belfry's defaults hold"}},
		{"operator", "config platform ttl=12h", ok, []string{"ttl      43200\n", "changed  "}},
		{"operator", "config platform ttl=inherit -o json", ok, []string{`"settings": {}`}},
		{"operator", "config platform keep_days=2", no, []string{"/settings/keep_days: must be 3 to 3650 (got 2)"}},
		{"operator", "config platform tll=1h", display.ExitUsage, []string{`did you mean "ttl"?`}},
	}
}

func restSteps() []step {
	const ok, no, usage = display.ExitOK, display.ExitFailure, display.ExitUsage
	return []step{
		{"owner", "usage", ok, []string{"nothing was accepted in that time"}},
		{"rival", "usage --tenant acme", no, []string{unseen}},
		{"owner", "privacy list", ok, []string{"no privacy requests yet"}},
		{"viewer", "privacy export --user alice", no, []string{"this needs the permission privacy"}},
		{"viewer", "privacy list", no, []string{"this needs the permission"}},
		{"owner", "privacy erase --user alice --no-wait", ok, []string{`"state": "running"`}},
		{"owner", "privacy list -o json", ok, []string{`"action":"erase"`}},
		{"owner", "privacy show prv_none", no, []string{unseen}},
		{"owner", "privacy export --user bob", ok, []string{`{"receipt":`}},
		{"owner", "pause", ok, []string{"nothing is paused"}},
		{"viewer", "pause --tenant acme", no, []string{"this needs the permission manage"}},
		{"owner", "pause --everything", no, []string{"everything and other tenants need the permission platform"}},
		{"owner", "pause --app shop --reason leak", ok, []string{"app acme/shop", "leak"}},
		{"owner", "pause -o json", ok, []string{`"reason":"leak"`}},
		{"rival", "resume --tenant acme", usage, []string{"tenant acme is not paused; nothing is paused"}},
		{"owner", "resume --app shop", ok, []string{"app acme/shop goes on"}},
	}
}

func endSteps() []step {
	const ok, no, usage = display.ExitOK, display.ExitFailure, display.ExitUsage
	return []step{
		{"owner", "app delete default --yes", no, []string{"\n    the app default can't be deleted"}},
		{"owner", "app delete shop --yes", ok, []string{"shop deleted\n"}},
		{"owner", "app set shop ttl=1h", no, []string{unseen}},
		{"owner", "tenant delete acme --yes", no, []string{"this needs the permission platform"}},
		{"operator", "tenant delete acme", usage, []string{"End the tenant acme, with all of its keys? Give --yes."}},
		{"operator", "tenant delete default --yes", no, []string{"\n    the tenant default can't be deleted"}},
		{"operator", "tenant delete acme --yes", ok, []string{"acme deleted\n"}},
		{"operator", "tenant delete acme --yes", no, []string{unseen}},
		{"operator", "tenant create acme", no, []string{"acme names another tenant, or did"}},
	}
}

// A credential is given, shown, and changed only with a second person, where the tenant wants that.
func TestCredentialCommands(t *testing.T) {
	t.Parallel()
	h := serve(t)
	h.makeKey("", "ada", "--role owner --name ada")
	h.makeKey("", "bob", "--role operator --name bob")
	names := map[string]string{
		"file":  clitest.File(t, "shop.json", string(h.sim.ServiceAccountOf("shop-prod-1a2b3"))),
		"other": clitest.File(t, "other.json", string(h.sim.ServiceAccountOf("test-prod-1a2b3"))),
		"empty": clitest.File(t, "empty.json", "{}"),
	}
	const ok, no = display.ExitOK, display.ExitFailure
	h.follow(names, []step{
		{"ada", "app create shop", ok, nil},
		{"ada", "app credential list", ok, []string{"no credentials yet: give one with belfry app credential set FILE"}},
		{"ada", "app credential show --app shop", no, []string{unseen}},
		{"ada", "app credential set --app nothere {file}", no, []string{unseen}},
		{"ada", "app credential set --app shop {empty}", no, []string{"no service-account key file", "give that file"}},
		{"ada", "app credential set --app shop /nowhere/x.json", no, []string{"open /nowhere/x.json: no such file or directory"}},
		{"bob", "app credential set --app shop {file}", no, []string{"this needs the permission admin"}},
		{"ada", "app credential set --app shop {file}", ok, []string{"state        valid\n", "project      shop-prod-1a2b3\n", "by   "}},
		{"ada", "app credential set --app shop {other}", no, []string{"the app's is of shop-prod-1a2b3", "the project changes"}},
		{"ada", "app credential show --app shop -o json", ok, []string{`"state": "valid"`}},
		{"ada", "app credential list", ok, []string{"APP   STATE  PROJECT", "shop  valid  shop-prod-1a"}},
		{"ada", "app credential list -o json", ok, []string{`"project":"shop-prod-1a2b3"`}},
		{"ada", "app credential list --all -o wide", ok, []string{"SERVICE ACCOUNT"}},
		{"ada", "approval list", ok, []string{"nothing waits for a second person"}},
		{"ada", "approval show apr_none", no, []string{unseen}},
		{"ada", "app set shop approve_credential_change=true", ok, nil},
	})
	ask := func(line string) string {
		t.Helper()
		r := h.as("ada", strings.Fields(line)...)
		r.Expect(t, no, "a second person has to approve this by", "belfry approval approve apr_")
		return regexp.MustCompile(`apr_[0-9a-f-]{36}`).FindString(r.Err)
	}
	names["change"] = ask("app credential set --app shop --change-project " + names["other"])
	names["removal"] = ask("app credential delete --app shop")
	h.follow(names, []step{
		{"ada", "approval approve {change}", no, []string{"it takes a second person"}},
		{"ada", "approval list -o json", ok, []string{`"about": "change the FCM credential of the app shop of default"`}},
		{"bob", "approval list", ok, []string{"ID ", "STATE", "open"}},
		{"bob", "approval show {change} -o json", ok, []string{`"state": "open"`}},
		{"bob", "approval approve {change}", ok, []string{"approved"}},
		{"bob", "approval refuse {removal}", ok, []string{"refused"}},
		{"ada", "app credential delete --app shop --approval {removal}", no, []string{"can't be used"}},
		{"ada", "app credential delete --app shop --approval {change}", no, []string{"can't be used"}},
		{"ada", "app credential set --app shop --change-project {file} --approval {change}", no, []string{"can't be used"}},
		{"ada", "app credential set --app shop --change-project {other} --approval {change}", ok, []string{"project      test-prod-1a2b3\n"}},
		{"ada", "app credential set --app shop --change-project {other} --approval {change}", no, []string{"can't be used"}},
		{"ada", "app set shop approve_credential_change=inherit", ok, nil},
		{"ada", "app credential delete --app shop", ok, []string{"the credential of the app shop is removed\n"}},
	})
}

// Of a key that must sign, the program says that it can't.
func TestKeyThatSigns(t *testing.T) {
	t.Parallel()
	h := serve(t)
	id := h.makeKey("", "ada", "--role owner")
	h.follow(map[string]string{"key": id}, []step{
		{"", "key signing {key} --required", display.ExitOK, []string{"signing  required"}},
		{"ada", "key list", display.ExitFailure, []string{"must be signed", "This program signs no requests"}},
	})
}
