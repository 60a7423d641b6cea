package request

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/strict"
)

// Columns are those of a CSV upload (RFC 4180), in their order: token, fid,
// user_id, device_id, locale, collapse_id, notification.title, notification.body,
// notification.image, badge, live_activity_token, and data.<key> for each entry of
// data. They are for one goroutine at a time.
type Columns []string

// dataColumn begins the name of a column with values of data.
const dataColumn = "data."

// shownColumn begins the name of a column with a text of the notification.
const shownColumn = "notification."

// otherColumns are those that have one name each and are no address.
func otherColumns() []string {
	return []string{
		"locale", "collapse_id", shownColumn + "title", shownColumn + "body", shownColumn + "image", "badge", "live_activity_token",
	}
}

// addressColumns are those of which a file needs one.
func addressColumns() []string { return []string{"token", "fid", "user_id", "device_id"} }

// ParseColumns reads a header row. Spaces around a name don't count. Errors are
// [Faults]: an unknown column, one that is there twice, or none that says who
// is meant.
func ParseColumns(header [][]byte) (Columns, error) {
	var faults push.Faults
	fault := func(i int, code, format string, args ...any) {
		if len(faults) < maxFaults {
			faults = append(faults, push.Fault{Code: code, Detail: fmt.Sprintf("column %d: %s", i+1, fmt.Sprintf(format, args...))})
		}
	}
	columns := make(Columns, len(header))
	addresses := 0
	for i, cell := range header {
		name := strings.TrimSpace(string(cell))
		columns[i] = name
		if at := strict.InvalidUTF8(string(cell)); at >= 0 {
			fault(i, push.FaultSyntax, "must be UTF-8 (byte %d of the name is 0x%02x): write the file as UTF-8", at, cell[at])
			continue
		}
		key, isData := strings.CutPrefix(name, dataColumn)
		switch {
		case slices.Contains(columns[:i], name):
			fault(i, push.FaultConflict, "there is a %q already", push.Clip(name))
		case slices.Contains(addressColumns(), name):
			addresses++
		case isData && key != "" && reserved(key):
			fault(i, push.FaultReserved, "%q is a data key that is reserved by FCM: not from, message_type, google* or gcm*", push.Clip(key))
		case isData && key != "", slices.Contains(otherColumns(), name):
		default:
			known := append(addressColumns(), otherColumns()...)
			fault(i, push.FaultUnknown, "must be %s or data.<key>, separated by commas (got %q)%s",
				strings.Join(known, ", "), push.Clip(name), suggest(name, known))
		}
	}
	if addresses == 0 && len(faults) == 0 {
		faults = push.Faults{{Code: push.FaultMissing, Detail: "the header must name a column " + strings.Join(addressColumns(), ", ")}}
	}
	return columns, faults.Err()
}

// Recipient reads and checks one row. An empty cell says nothing. Errors are
// [Faults], with the pointers that a line of NDJSON would have.
func (c Columns) Recipient(cells [][]byte) (push.Recipient, error) {
	if len(cells) != len(c) {
		return push.Recipient{}, push.Faults{
			{Code: push.FaultSyntax, Detail: fmt.Sprintf("must have %d cells, as the header has (got %d)", len(c), len(cells))},
		}
	}
	var in recipientJSON
	for i, cell := range cells {
		if len(cell) == 0 {
			continue
		}
		text := string(cell)
		if at := strict.InvalidUTF8(text); at >= 0 {
			return push.Recipient{}, push.Faults{{
				Pointer: c.pointer(i), Code: push.FaultSyntax, Detail: fmt.Sprintf("must be UTF-8 (byte %d of the cell is 0x%02x)", at, cell[at]),
			}}
		}
		if to, _ := in.field(c[i]); to != nil {
			*to = text
			continue
		}
		if !strings.HasPrefix(c[i], dataColumn) { // few files have these, and the walker knows them
			return recipientOf(c.tree(cells))
		}
		if in.Data == nil {
			in.Data = make(map[string]string, len(c))
		}
		in.Data[c[i][len(dataColumn):]] = text
	}
	if in.valid() {
		return in.recipient(), nil
	}
	return recipientOf(c.tree(cells))
}

// tree is a row as the JSON object that it stands for.
func (c Columns) tree(cells [][]byte) map[string]any {
	tree, data, shown := map[string]any{}, map[string]any{}, map[string]any{}
	for i, cell := range cells {
		if len(cell) == 0 {
			continue
		}
		if key, ok := strings.CutPrefix(c[i], dataColumn); ok {
			data[key] = string(cell)
			tree["data"] = data
		} else if name, ok := strings.CutPrefix(c[i], shownColumn); ok {
			shown[name] = string(cell)
			tree["notification"] = shown
		} else if c[i] == "badge" {
			tree["badge"] = json.Number(cell)
		} else {
			tree[c[i]] = string(cell)
		}
	}
	return tree
}

func (c Columns) pointer(i int) string {
	if key, ok := strings.CutPrefix(c[i], dataColumn); ok {
		return "/data/" + pointerEscape(key)
	}
	return "/" + strings.ReplaceAll(c[i], ".", "/")
}

func reserved(key string) bool {
	_, why := message.CheckDataKey(key)
	return why != ""
}
