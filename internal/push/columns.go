package push

import (
	"fmt"
	"slices"
	"strings"

	"github.com/belfry-push/belfry/internal/message"
	"github.com/belfry-push/belfry/internal/strict"
)

// Columns are those of a CSV upload (RFC 4180), in their order: token, fid,
// user_id, device_id, locale, collapse_id, and data.<key> for each entry of
// data. They are for one goroutine at a time.
type Columns []string

// dataColumn begins the name of a column with values of data.
const dataColumn = "data."

// addressColumns are those of which a file needs one.
func addressColumns() []string { return []string{"token", "fid", "user_id", "device_id"} }

// ParseColumns reads a header row. Spaces around a name don't count. Errors are
// [Faults]: an unknown column, one that is there twice, or none that says who
// is meant.
func ParseColumns(header [][]byte) (Columns, error) {
	var faults Faults
	fault := func(i int, code, format string, args ...any) {
		if len(faults) < maxFaults {
			faults = append(faults, Fault{Code: code, Detail: fmt.Sprintf("column %d: %s", i+1, fmt.Sprintf(format, args...))})
		}
	}
	columns := make(Columns, len(header))
	addresses := 0
	for i, cell := range header {
		name := strings.TrimSpace(string(cell))
		columns[i] = name
		if at := strict.InvalidUTF8(string(cell)); at >= 0 {
			fault(i, FaultSyntax, "must be UTF-8 (byte %d of the name is 0x%02x): write the file as UTF-8", at, cell[at])
			continue
		}
		key, isData := strings.CutPrefix(name, dataColumn)
		switch {
		case slices.Contains(columns[:i], name):
			fault(i, FaultConflict, "there is a %q already", clip(name))
		case slices.Contains(addressColumns(), name):
			addresses++
		case isData && key != "" && reserved(key):
			fault(i, FaultReserved, "%q is a data key that is reserved by FCM: not from, message_type, google* or gcm*", clip(key))
		case isData && key != "", name == "locale", name == "collapse_id":
		default:
			fault(i, FaultUnknown, "must be %s, locale, collapse_id or data.<key>, separated by commas (got %q)%s",
				strings.Join(addressColumns(), ", "), clip(name), suggest(name, append(addressColumns(), "locale", "collapse_id")))
		}
	}
	if addresses == 0 && len(faults) == 0 {
		faults = Faults{{Code: FaultMissing, Detail: "the header must name a column " + strings.Join(addressColumns(), ", ")}}
	}
	return columns, faults.Err()
}

// Recipient reads and checks one row. An empty cell says nothing. Errors are
// [Faults], with the pointers that a line of NDJSON would have.
func (c Columns) Recipient(cells [][]byte) (Recipient, error) {
	if len(cells) != len(c) {
		return Recipient{}, Faults{{Code: FaultSyntax, Detail: fmt.Sprintf("must have %d cells, as the header has (got %d)", len(c), len(cells))}}
	}
	var in recipientJSON
	for i, cell := range cells {
		if len(cell) == 0 {
			continue
		}
		text := string(cell)
		if at := strict.InvalidUTF8(text); at >= 0 {
			return Recipient{}, Faults{{
				Pointer: c.pointer(i), Code: FaultSyntax, Detail: fmt.Sprintf("must be UTF-8 (byte %d of the cell is 0x%02x)", at, cell[at]),
			}}
		}
		if to, _ := in.field(c[i]); to != nil {
			*to = text
			continue
		}
		if in.Data == nil {
			in.Data = make(map[string]string, len(c))
		}
		in.Data[c[i][len(dataColumn):]] = text
	}
	if in.flawless() {
		return in.recipient(), nil
	}
	return recipientOf(c.tree(cells))
}

// tree is a row as the JSON object that it stands for.
func (c Columns) tree(cells [][]byte) map[string]any {
	tree, data := map[string]any{}, map[string]any{}
	for i, cell := range cells {
		if len(cell) == 0 {
			continue
		}
		if key, ok := strings.CutPrefix(c[i], dataColumn); ok {
			data[key] = string(cell)
			tree["data"] = data
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
	return "/" + c[i]
}

func reserved(key string) bool {
	_, why := message.CheckDataKey(key)
	return why != ""
}
