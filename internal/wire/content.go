package wire

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/belfry-push/belfry/internal/push"
	"github.com/belfry-push/belfry/internal/strict"
)

// Kind says what a queue message is.
type Kind string

// The kinds of message.
const (
	KindForeign     Kind = ""            // none of ours
	KindEvent       Kind = "event"       // a request to send, as a CloudEvent
	KindTask        Kind = "task"        // for fanout
	KindChunk       Kind = "chunk"       // for deliver
	KindUndelivered Kind = "undelivered" // recipients that deliver gave up, which come in a dead letter
)

// queue returns where messages of the kind are handled, "" for nowhere. Of the
// delivery queues it is that of what is sent again: what had to be looked for had
// better not stand before live traffic.
func (k Kind) queue() string {
	switch k {
	case KindEvent:
		return push.QueueEvents
	case KindTask:
		return push.QueueNotifications
	case KindChunk, KindUndelivered:
		return push.QueueReplay
	case KindForeign:
	}
	return ""
}

// Content is a queue message without what was put around it on its way: dead
// letters, one in the other, and the wrappers of SNS.
type Content struct {
	Kind    Kind
	Body    []byte           // the message itself
	Wrapped bool             // something was around it
	Letter  *push.DeadLetter // what was around it last, but for SNS's; nil if no dead letter was

	Undelivered *Undelivered // of that kind; otherwise nil
	TraceParent string       // of an Undelivered
}

// Queue returns the queue that the message belongs on: the one on which it died,
// or where its kind is handled. "" is nowhere.
func (c *Content) Queue() string {
	if c.Letter != nil && c.Letter.Queue != "" {
		return c.Letter.Queue
	}
	return c.Kind.queue()
}

// maxLayers bounds how many wrappers are taken off. Base64 makes each a third
// longer than what is in it, so that a queue message has room for some thirty;
// only a packed one could be made to hold more.
const maxLayers = 64

// Contents looks into a message of any queue, however deep. The only error is
// [push.ErrNewerSchema]: a dead letter, or the list of recipients in one, is of a
// newer program, and has to be left to that.
func Contents(data []byte) (Content, error) {
	c := Content{Body: data}
	for range maxLayers {
		more, err := c.unwrap()
		if err != nil || c.Kind == KindUndelivered {
			return c, err
		}
		if !more {
			break
		}
	}
	c.Kind = contentKind(c.Body)
	return c, nil
}

// unwrap takes one wrapper off, and reports whether there was one.
func (c *Content) unwrap() (bool, error) {
	d, err := DecodeDeadLetter(c.Body)
	if errors.Is(err, push.ErrNewerSchema) {
		return false, fmt.Errorf("look into a message: %w", err)
	}
	if err == nil {
		c.Letter, c.Body, c.Wrapped = &d, d.Body, true
		return true, c.undelivered()
	}
	inner, err := Unwrap(c.Body)
	if err != nil || len(inner.Event) == len(c.Body) {
		return false, nil //nolint:nilerr // of SNS, and no message
	}
	c.Body, c.Wrapped = inner.Event, true
	return true, nil
}

// undelivered finds the recipients that deliver gave up in the letter in hand.
func (c *Content) undelivered() error {
	if c.Letter.Code != push.CodeAttemptsExhausted && c.Letter.Code != push.CodePoison {
		return nil
	}
	u, traceParent, err := DecodeUndelivered(c.Body)
	switch {
	case errors.Is(err, push.ErrNewerSchema):
		return fmt.Errorf("look into a dead letter: %w", err)
	case err != nil:
		return nil //nolint:nilerr // a whole message, or a list that can't be read
	}
	c.Kind, c.Undelivered, c.TraceParent = KindUndelivered, &u, traceParent
	return nil
}

// contentKind goes by the head alone: a message of ours that is of a newer version, or
// damaged, is ours all the same.
func contentKind(body []byte) Kind {
	var head struct {
		V           any    `json:"v"` // a CloudEvent may have an attribute of that name
		Type        string `json:"type"`
		SpecVersion string `json:"specversion"`
	}
	if json.Unmarshal(strict.TrimBOM(body), &head) != nil { //nolint:forbidigo // only what kind it is; its decoder reads it strictly
		return KindForeign
	}
	version, _ := head.V.(float64)
	switch {
	case head.SpecVersion != "" && head.Type == EventRequested:
		return KindEvent
	case version > 0 && head.Type == typeTask:
		return KindTask
	case version > 0 && head.Type == typeChunk:
		return KindChunk
	}
	return KindForeign
}

// Message is what a message of a queue of ours says, as far as it can be read: one
// of the two, or neither.
type Message struct {
	Chunk       *push.Chunk
	Task        *Task
	TraceParent string
}

// ReadMessage reads a message of the named queue. One that can't be read, or of a
// queue that brings neither chunks nor tasks, is the zero Message.
func ReadMessage(queue string, body []byte) Message {
	switch queue {
	case push.QueueHigh, push.QueueBulk, push.QueueReplay:
		if c, traceParent, err := DecodeChunk(body); err == nil {
			return Message{Chunk: &c, TraceParent: traceParent}
		}
	case push.QueueNotifications:
		if t, err := DecodeTask(body); err == nil {
			return Message{Task: &t, TraceParent: t.TraceParent}
		}
	}
	return Message{}
}
