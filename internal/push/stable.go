package push

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// DataID is the data key that carries a notification's id to the app.
const DataID = "belfry_id"

// Stabilize returns the message with one stable id in every place where a
// platform lets a later copy replace an earlier one, so that a repeated
// delivery does not ring twice: android.notification.tag, the apns-collapse-id
// header, the web notification's tag, and data.belfry_id. Fields that the caller
// set are kept. collapseID, when given, is the tag instead of the id. Overrides
// of data go on top.
//
// FCM's collapse_key is left alone: a device stores only four of them
// (https://firebase.google.com/docs/cloud-messaging/customize-messages/collapsible-message-types).
// A data-only message gets no android or web notification object, which would
// turn it into a displayed one.
func Stabilize(m Message, id ID, collapseID string, data map[string]string) (Message, error) {
	dec := json.NewDecoder(bytes.NewReader(m))
	dec.UseNumber()
	var top map[string]any
	if err := dec.Decode(&top); err != nil {
		return nil, fmt.Errorf("read a stored message: %w", err)
	}
	tag := string(id)
	if collapseID != "" {
		tag = collapseID
	}
	fields := child(top, "data")
	setDefault(fields, DataID, string(id))
	for k, v := range data {
		fields[k] = v
	}
	setDefault(child(child(top, "apns"), "headers"), "apns-collapse-id", tag)
	_, shown := top["notification"]
	if android, _ := top["android"].(map[string]any); shown || android["notification"] != nil {
		setDefault(child(child(top, "android"), "notification"), "tag", tag)
	}
	if web, _ := top["webpush"].(map[string]any); shown || web["notification"] != nil {
		setDefault(child(child(top, "webpush"), "notification"), "tag", tag)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(top); err != nil {
		return nil, fmt.Errorf("write a stabilized message: %w", err)
	}
	return Message(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

// child returns the object under key, made if it is absent.
func child(m map[string]any, key string) map[string]any {
	if c, ok := m[key].(map[string]any); ok {
		return c
	}
	c := map[string]any{}
	m[key] = c
	return c
}

func setDefault(m map[string]any, key, value string) {
	if _, ok := m[key]; !ok {
		m[key] = value
	}
}
