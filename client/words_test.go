package client

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/replay"
	"github.com/belfry-push/belfry/internal/report"
)

// TestWords holds the client's words against the server's: each has all of them,
// and no other but those that only answers have.
func TestWords(t *testing.T) {
	t.Parallel()
	declared := constants(t)
	codes, classes := []string{push.CodeOpen.String()}, []string{string(ClassInvalid), string(ClassFailed)}
	for _, f := range push.Codes() {
		codes = append(codes, f.Name)
	}
	for _, c := range push.Classes() {
		classes = append(classes, c.String())
	}
	platforms := []string{string(push.PlatformAndroid), string(push.PlatformIOS), string(push.PlatformWeb), "unknown", "topic"}
	for _, p := range push.Parts() {
		if !slices.Contains(platforms, p.String()) {
			t.Errorf("a hold of %s has no Platform", p)
		}
	}
	for name, want := range map[string][]string{
		"Code": codes, "Class": classes, "Platform": platforms,
		"State": {
			string(push.StateUploading), string(push.StateAccepted), string(push.StateSending), string(push.StateHeld), string(push.StatePaused),
			string(push.StateCompleted), string(push.StateCancelled), string(push.StateDeadLettered), "valid",
		},
		"WaitReason":      texts(report.WaitReasons()),
		"Priority":        {string(push.PriorityHigh), string(push.PriorityNormal), string(push.PriorityBulk)},
		"Guarantee":       {string(push.AtLeastOnce), string(push.AtMostOnce)},
		"DeviceState":     {string(push.DeviceActive), string(push.DeviceQuarantined)},
		"DeadLetterState": {string(push.LetterParked), string(push.LetterReplaying), string(push.LetterReplayed), string(push.LetterDiscarded)},
		"ReplayState": {
			string(replay.RunRunning), string(replay.RunPaused), string(replay.RunStopped), string(replay.RunCancelled), string(replay.RunCompleted),
		},
	} {
		if diff := cmp.Diff(sortedWords(want), sortedWords(declared[name])); diff != "" {
			t.Errorf("constants of %s (-server +client):\n%s", name, diff)
		}
	}
}

// TestWordsAreListed holds the lists against the constants.
func TestWordsAreListed(t *testing.T) {
	t.Parallel()
	declared := constants(t)
	for name, listed := range map[string][]string{
		"Code": append(texts(Codes()), string(CodeOpen)), "Class": append(texts(Classes()), string(ClassInvalid), string(ClassFailed)),
		"WaitReason": texts(WaitReasons()), "State": texts(States()),
		"Priority": texts(Priorities()), "DeadLetterState": texts(DeadLetterStates()),
	} {
		if diff := cmp.Diff(sortedWords(declared[name]), sortedWords(listed)); diff != "" {
			t.Errorf("list of %s (-constants +list):\n%s", name, diff)
		}
	}
}

func texts[T ~string](words []T) (out []string) {
	for _, w := range words {
		out = append(out, string(w))
	}
	return out
}

func sortedWords(words []string) []string { return slices.Sorted(slices.Values(words)) }

// constants returns the values of the constants of each type, from the source.
func constants(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, name := range []string{"words.go", "codes.go"} {
		tree, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			kind, named := spec.Type.(*ast.Ident)
			value, literal := spec.Values[0].(*ast.BasicLit)
			if !named || !literal {
				t.Errorf("%s: %s has no type, or is no literal", name, spec.Names[0].Name)
				return true
			}
			text, err := strconv.Unquote(value.Value)
			if err != nil {
				t.Error(err)
			}
			all[kind.Name] = append(all[kind.Name], text)
			return true
		})
	}
	return all
}
