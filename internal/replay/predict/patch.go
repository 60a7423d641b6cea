package predict

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/request"
	"github.com/belfry-push/belfry/internal/strict"
)

// Patch is a JSON Patch (RFC 6902) whose form is checked. The library applies it,
// and differs from the RFC in harmless ways: an array index may have leading zeros, numbers
// are equal if they are written alike, and a missing value equals null.
type Patch jsonpatch.Patch

// maxPatchOps bounds a patch: a message has some forty fields.
const maxPatchOps = 100

// ParsePatch reads a patch and checks its form. Its error is push.Faults, which
// point into the patch.
func ParsePatch(data []byte) (Patch, error) {
	p, faults := readPatch(data)
	return p, faults.Err()
}

// readPatch checks the form of a patch: its operations, their members and the
// syntax of their pointers (RFC 6901). Faults point into the patch.
func readPatch(data []byte) (Patch, push.Faults) {
	const want = "must be an RFC 6902 JSON Patch, an array of operations"
	data = strict.TrimBOM(data)
	if bad := request.CheckJSON(data); bad != nil {
		return nil, push.Faults{*bad}
	}
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil { //nolint:forbidigo // it was checked: only its type can be wrong
		return nil, push.Faults{{Code: push.FaultType, Detail: want}}
	}
	if len(items) == 0 || len(items) > maxPatchOps {
		return nil, push.Faults{{Code: push.FaultValue, Detail: fmt.Sprintf("must have 1..%d operations (got %d)", maxPatchOps, len(items))}}
	}
	p := make(Patch, len(items))
	var faults push.Faults
	for i, item := range items {
		at := "/" + strconv.Itoa(i)
		if err := json.Unmarshal(item, &p[i]); err != nil || p[i] == nil { //nolint:forbidigo // as above
			faults = append(faults, push.Fault{Pointer: at, Code: push.FaultType, Detail: `must be an object with "op" and "path"`})
			continue
		}
		if bad := checkOperation(p[i]); bad != nil {
			faults = append(faults, push.Faults{*bad}.Below(at)...)
		}
	}
	const most = 20 // after so many nobody reads on
	return p, faults[:min(len(faults), most)]
}

// checkOperation checks that the operation has the members that it needs, spelt as in RFC
// 6902; other members are ignored (§4).
func checkOperation(o jsonpatch.Operation) *push.Fault {
	op, bad := member(o, "op")
	if bad == nil {
		bad = checkPointer(o, "path")
	}
	if bad != nil {
		return bad
	}
	switch op {
	case "add", "replace", "test":
		if _, ok := o["value"]; !ok { // null is a value
			return missing(o, "value", op)
		}
	case "move", "copy":
		if _, ok := o["from"]; !ok {
			return missing(o, "from", op)
		}
		return checkPointer(o, "from")
	case "remove":
	default:
		ops := []string{"add", "remove", "replace", "move", "copy", "test"}
		return &push.Fault{
			Pointer: "/op", Code: push.FaultValue,
			Detail: fmt.Sprintf("must be add, remove, replace, move, copy or test (got %q)%s", clip(op), strict.DidYouMean(op, ops)),
		}
	}
	return nil
}

// missing returns the fault that a member is missing, and which member was probably meant.
func missing(o jsonpatch.Operation, name, op string) *push.Fault {
	why := name + " is missing"
	if op != "" {
		why = op + " needs " + name
	}
	for _, given := range slices.Sorted(maps.Keys(o)) {
		if known := []string{"op", "path", "from", "value"}; !slices.Contains(known, given) && strict.Suggest(given, known) == name {
			return &push.Fault{Pointer: "/" + strict.Step(given), Code: push.FaultUnknown, Detail: fmt.Sprintf("%s; did you mean %q?", why, name)}
		}
	}
	return &push.Fault{Pointer: "/" + name, Code: push.FaultMissing, Detail: why}
}

// member returns a member that has to be a string.
func member(o jsonpatch.Operation, name string) (string, *push.Fault) {
	raw, there := o[name]
	if !there {
		return "", missing(o, name, "")
	}
	var text *string
	if raw == nil || json.Unmarshal(*raw, &text) != nil || text == nil { //nolint:forbidigo // a part of what was checked
		return "", &push.Fault{Pointer: "/" + name, Code: push.FaultType, Detail: "must be a string"}
	}
	return *text, nil
}

// pointer is the syntax of a JSON Pointer (RFC 6901 §3).
var pointer = regexp.MustCompile(`^(/([^~]|~[01])*)?$`)

func checkPointer(o jsonpatch.Operation, name string) *push.Fault {
	text, bad := member(o, name)
	if bad != nil {
		return bad
	}
	if pointer.MatchString(text) {
		return nil
	}
	why := "~ must be written ~0, and / within a name ~1"
	if text[0] != '/' {
		why = "must be empty or begin with a slash"
	}
	return &push.Fault{Pointer: "/" + name, Code: push.FaultValue, Detail: fmt.Sprintf("is no JSON Pointer: %s (got %q)", why, clip(text))}
}

// Apply returns the message with the patch applied, checked as a new message
// would be. The patch applies whole or not at all.
func (p Patch) Apply(m push.Message) (push.Message, error) {
	after, err := p.applyTo(m)
	if err != nil {
		return nil, err
	}
	return request.DecodeMessage(after, "")
}

// applyTo applies the operations to a document one by one, so that an error names the one
// that does not fit.
func (p Patch) applyTo(doc []byte) ([]byte, error) {
	options := jsonpatch.NewApplyOptions()
	options.SupportNegativeIndices = false
	options.EscapeHTML = false
	options.AccumulatedCopySizeLimit = maxPatched
	for i := range p {
		next, err := jsonpatch.Patch(p[i:i+1]).ApplyWithOptions(doc, options)
		if err != nil {
			path, _ := p[i].Path()
			return nil, fmt.Errorf("patch operation %d, %s %s: %w", i, p[i].Kind(), path, err)
		}
		if doc = next; len(doc) > maxPatched {
			return nil, fmt.Errorf("patch operation %d makes the message larger than %d bytes", i, maxPatched)
		}
	}
	return doc, nil
}

// maxPatched bounds a message between two operations of a patch, far above the limit of the
// final message.
const maxPatched = 1 << 20

func clip(s string) string {
	const most = 60
	return strict.Clip(s, most)
}
