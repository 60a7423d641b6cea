package door

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// About is what the OpenAPI document says of an API beside its routes.
type About struct {
	Title, Version string // of the API, and of the program that serves it
	Intro          string // in Markdown
	License        string // its SPDX identifier
	Home           string // URL of where its source and its people are
	Groups         []Group
	// Names are those of schemas whose type has a name that says too little.
	Names map[reflect.Type]string
	// Abouts describe schemas, by name.
	Abouts map[string]string
	// Sets are closed sets of words: what is of their types refers to them.
	Sets []Set
	// Schemas are further schemas, by name.
	Schemas map[string]*huma.Schema
	// Fields replace what the types say of a property, as in Request.message; its
	// description stays.
	Fields map[string]*huma.Schema
	// Places describe the variables in paths, each as the segment before it and its
	// own name: devices/{device_id}.
	Places map[string]Place
	// Samples are bodies by their type, for routes that have none of their own.
	Samples map[reflect.Type]any
	// Notices are what the server sends by itself.
	Notices []Notice
	// Events describes one event of a stream of events, and SampleEvents is such a stream.
	Events       *huma.Schema
	SampleEvents string
}

// Group is a tag of the document, by which routes are shown together.
type Group struct {
	Name, About string
}

// Set is a closed set of words.
type Set struct {
	Name, About string
	Of          []reflect.Type
	Words       []string
}

// Place is a variable in a path.
type Place struct {
	About, Sample string
	Pattern       string   // a regular expression; may be empty
	Words         []string // all that it can be; nil: anything
}

// Notice is a message that the server sends by itself: a webhook of the document.
type Notice struct {
	Name, About string // as an operationId, and one sentence
	Detail      string // in Markdown
	Group       string
	Kind        string // media type
	Schema      *huma.Schema
	Sample      any
}
