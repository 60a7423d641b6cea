package message

import "strings"

// Kind is the protocol buffer type of a field.
type Kind uint8

// The kinds. How each looks in JSON is https://protobuf.dev/programming-guides/json/.
const (
	String    Kind = iota
	Bool           // true or false
	Int32          // a number
	Float          // a number
	Duration       // google.protobuf.Duration: "3.5s"
	Timestamp      // google.protobuf.Timestamp: RFC 3339
	Enum           // a name of Field.Names
	Object         // an object with the fields of Field.Of
	Map            // map<string, string>
	Struct         // google.protobuf.Struct: any object
)

// Type is a message type of the API: an object with named fields.
type Type struct {
	Name   string // full, such as google.firebase.fcm.v1.AndroidConfig
	Fields []*Field

	rule func(c *checker, m map[string]any) // what holds between fields; nil for nothing
}

// Field returns the field that a JSON name stands for, in snake_case or in
// lowerCamelCase, or nil.
func (t *Type) Field(name string) *Field {
	for _, f := range t.Fields {
		if name == f.Name || name == f.Camel {
			return f
		}
	}
	return nil
}

// Field is one field of a [Type].
type Field struct {
	Name, Camel string // both are FCM's; Belfry's API takes Name only
	Kind        Kind
	Repeated    bool
	EnumName    string   // of Enum: the full name of the type
	Names       []string // of Enum: its values, in the order of their numbers as far as known
	Of          *Type    // of Object
	Target      bool     // one of those of which a send has exactly one
	OutputOnly  bool     // set by FCM

	about    string                                   // what it means
	lower    bool                                     // of Enum: FCM documents its names in lower case too
	upTo     int64                                    // of Duration: whole seconds at most
	check    func(value string) string                // of String: what is wrong with a value that is not empty, or ""
	examples []string                                 // of String: values that pass check, where any text would not
	inside   func(c *checker, members map[string]any) // of Map and Struct: what is wrong with the members
}

// Examples returns valid values of a field of kind String, nil where any text
// is valid. Tests generate messages from them.
func (f *Field) Examples() []string { return f.examples }

// Described returns the description of Message. It is shared: read only.
func Described() *Type { return described }

func field(name string, k Kind) *Field {
	words := strings.Split(name, "_")
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return &Field{Name: name, Camel: strings.Join(words, ""), Kind: k}
}

// texts are fields that take any text.
func texts(names ...string) []*Field { return fieldsOf(String, names) }

func booleans(names ...string) []*Field { return fieldsOf(Bool, names) }

func fieldsOf(k Kind, names []string) []*Field {
	fields := make([]*Field, len(names))
	for i, name := range names {
		fields[i] = field(name, k)
	}
	return fields
}

// checked is a text that FCM documents more about. Empty is not set.
func checked(name string, check func(string) string, examples ...string) *Field {
	f := field(name, String)
	f.check, f.examples = check, examples
	return f
}

func list(name string, k Kind) *Field {
	f := field(name, k)
	f.Repeated = true
	return f
}

func enum(name, typ string, names ...string) *Field {
	f := field(name, Enum)
	f.EnumName, f.Names = packageName+typ, names
	return f
}

func duration(name string, upTo int64) *Field {
	f := field(name, Duration)
	f.upTo = upTo
	return f
}

func target(name string) *Field {
	f := field(name, String)
	f.Target = true
	return f
}

func object(name string, of *Type) *Field {
	f := field(name, Object)
	f.Of = of
	return f
}

func mapOf(name string, inside func(*checker, map[string]any)) *Field {
	f := field(name, Map)
	f.inside = inside
	return f
}

func structOf(name string, inside func(*checker, map[string]any)) *Field {
	f := field(name, Struct)
	f.inside = inside
	return f
}
