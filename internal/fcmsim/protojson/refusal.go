package protojson

// Kind is why a request is refused.
type Kind uint8

// The kinds of refusal.
const (
	// Unparsable does not fit the schema, so FCM itself never sees it.
	Unparsable Kind = iota
	// Unacceptable fits the schema, but FCM does not take one of its values.
	Unacceptable
	// TooLarge has a message over the limit.
	TooLarge
	// BadCondition has a condition that is none.
	BadCondition
)

// Refusal says why a request is refused.
type Refusal struct {
	Kind Kind
	// Violations are what is wrong: at least one for Unparsable, one for Unacceptable, else none.
	Violations []Violation
	// Limit is what TooLarge exceeds, in bytes.
	Limit int
}

// Violation names a field that is wrong, by its path from the root of the request, and says why. It is a FieldViolation
// of google.rpc.BadRequest.
type Violation struct {
	Field       string `json:"field,omitempty"`
	Description string `json:"description"`
}

func unacceptable(v Violation) *Refusal {
	return &Refusal{Kind: Unacceptable, Violations: []Violation{v}}
}
