package command

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/belfry-push/belfry/client"
	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/strict"
)

// wordsOf lists the words of a closed set, none for a type that is not one.
func wordsOf(t reflect.Type) []string {
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[push.Code](), reflect.TypeFor[client.Code]():
		var names []string
		for _, f := range push.Codes() {
			names = append(names, f.Name)
		}
		return names
	case reflect.TypeFor[client.Class]():
		return texts(append(client.Classes(), client.ClassInvalid, client.ClassFailed))
	case reflect.TypeFor[client.Priority]():
		return texts(client.Priorities())
	case reflect.TypeFor[client.State]():
		return texts(client.States())
	case reflect.TypeFor[client.Kind]():
		return texts(client.Kinds())
	case reflect.TypeFor[client.DeadLetterState]():
		return texts(client.DeadLetterStates())
	}
	return nil
}

// texts are words without their type.
func texts[T ~string](words []T) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return out
}

// codeMappers read the closed sets from flags and arguments. A word may be
// abbreviated: any beginning or last part that only one of them has.
func codeMappers() []kong.Option {
	var out []kong.Option
	for _, t := range []reflect.Type{
		reflect.TypeFor[push.Code](), reflect.TypeFor[client.Code](), reflect.TypeFor[client.Class](), reflect.TypeFor[client.Priority](),
		reflect.TypeFor[client.State](), reflect.TypeFor[client.Kind](), reflect.TypeFor[client.DeadLetterState](),
	} {
		out = append(out, kong.TypeMapper(t, wordMapper{wordsOf(t)}))
	}
	return out
}

type wordMapper struct{ known []string }

// Decode implements kong.Mapper.
func (m wordMapper) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue("word")
	if err != nil {
		return err
	}
	word, err := resolve(fmt.Sprint(token.Value), m.known)
	if err != nil {
		return err
	}
	if target.Kind() == reflect.String {
		target.SetString(word)
		return nil
	}
	code, ok := push.CodeNamed(word)
	if !ok {
		return fmt.Errorf("%q is no outcome code", word)
	}
	target.Set(reflect.ValueOf(code))
	return nil
}

// resolve finds the word that is meant: the whole word, its last part, or the
// beginning of either, if it is the only one.
func resolve(text string, known []string) (string, error) {
	if text == "" {
		return "", errors.New("must not be empty")
	}
	given := strings.ReplaceAll(strings.ToLower(text), "-", "_")
	if slices.Contains(known, given) {
		return given, nil
	}
	for _, fits := range []func(word string) bool{
		func(word string) bool {
			return strings.HasSuffix(word, "."+given) || strings.HasSuffix(word, "_"+given)
		},
		func(word string) bool { return strings.HasPrefix(word, given) },
		func(word string) bool { return strings.Contains(word, "."+given) || strings.Contains(word, "_"+given) },
	} {
		found := slices.DeleteFunc(slices.Clone(known), func(word string) bool { return !fits(word) })
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return "", fmt.Errorf("%q may be %s: give more of it", text, enumerate(found))
		}
	}
	return "", fmt.Errorf("there is no %q; %s", text, near(given, known))
}

// near says which words a misspelt one may mean; all of them, if they are few.
func near(given string, known []string) string {
	const few = 12
	meant := strict.Suggest(given, known)
	if meant == "" { // the last part may be what is misspelt
		last := make([]string, len(known))
		for i, word := range known {
			last[i] = word[strings.LastIndexByte(word, '.')+1:]
		}
		if at := slices.Index(last, strict.Suggest(given, last)); at >= 0 {
			meant = known[at]
		}
	}
	switch {
	case meant != "":
		return fmt.Sprintf("did you mean %q?", meant)
	case len(known) <= few:
		return "it must be " + enumerate(known)
	default:
		return "the command advice lists them all"
	}
}

// enumerate lists words: a, b or c.
func enumerate(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// nearest says of an unknown command which one was probably meant: where that
// name exists, or else the nearest beside it.
func nearest(err error) error {
	bad, ok := errors.AsType[*kong.ParseError](err)
	if !ok || bad.Context == nil {
		return err
	}
	_, word, ok := strings.Cut(err.Error(), "unexpected argument ")
	if !ok {
		return err
	}
	word, _, _ = strings.Cut(word, ", did you mean")
	var meant []string
	_ = kong.Visit(bad.Context.Model.Node, func(node kong.Visitable, next kong.Next) error {
		if cmd, ok := node.(*kong.Node); ok && cmd.Name == word && !cmd.Hidden {
			meant = append(meant, cmd.FullPath())
		}
		return next(nil)
	})
	if len(meant) == 0 {
		at := bad.Context.Selected()
		if at == nil {
			at = bad.Context.Model.Node
		}
		var beside []string
		for _, child := range at.Children {
			if !child.Hidden {
				beside = append(beside, child.Name)
			}
		}
		if name := strict.Suggest(word, beside); name != "" {
			meant = []string{at.FullPath() + " " + name}
		}
	}
	return &unknownCommandError{err, word, meant}
}

// unknownCommandError is about a word that is no command.
type unknownCommandError struct {
	err   error
	word  string
	meant []string
}

// Error implements error.
func (e *unknownCommandError) Error() string {
	text := "unexpected argument " + e.word
	if len(e.meant) > 0 {
		text += ", did you mean " + enumerate(e.meant) + "?"
	}
	return text
}

// Unwrap returns the parser's error.
func (e *unknownCommandError) Unwrap() error { return e.err }
