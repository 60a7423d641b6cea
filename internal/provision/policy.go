package provision

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// policyVersion is the version of the policy language
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html).
const policyVersion = "2012-10-17"

// Statement is one statement of a resource policy, as its canonical JSON.
type Statement struct {
	ID   string // Sid, unique within the policy
	JSON string // with sorted keys, without spaces
}

// mayPublish allows SNS to send to a queue for one topic and for no other
// (https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html).
func mayPublish(topic, queue string) Statement {
	const id = "BelfryEventsTopic"
	return Statement{ID: id, JSON: mustCanonical(map[string]any{
		"Sid": id, "Effect": "Allow",
		"Principal": map[string]any{"Service": "sns.amazonaws.com"},
		"Action":    "sqs:SendMessage",
		"Resource":  queue,
		"Condition": map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": topic}},
	})}
}

// policy is a resource policy whose statements are read no further than their
// ids.
type policy struct {
	Version   string            `json:"Version"`      //nolint:tagliatelle // AWS's
	ID        string            `json:"Id,omitempty"` //nolint:tagliatelle // AWS's
	Statement []json.RawMessage `json:"Statement"`    //nolint:tagliatelle // AWS's
}

// parsePolicy reads a policy; "" is one without statements.
func parsePolicy(text string) (policy, error) {
	p := policy{Version: policyVersion}
	if text == "" {
		return p, nil
	}
	var loose struct {
		policy
		Statement json.RawMessage `json:"Statement"` //nolint:tagliatelle // AWS's
	}
	if err := json.Unmarshal([]byte(text), &loose); err != nil {
		return policy{}, fmt.Errorf("policy: %w", err)
	}
	p = loose.policy
	if len(loose.Statement) > 0 && loose.Statement[0] == '{' { // a single one needs no list
		p.Statement = []json.RawMessage{loose.Statement}
		return p, nil
	}
	if err := json.Unmarshal(loose.Statement, &p.Statement); err != nil {
		return policy{}, fmt.Errorf("policy: statements: %w", err)
	}
	return p, nil
}

// find returns the statement with that id, canonical; "" if there is none.
func (p policy) find(id string) string {
	if i := p.index(id); i >= 0 {
		return canonical(string(p.Statement[i]))
	}
	return ""
}

func (p policy) index(id string) int {
	return slices.IndexFunc(p.Statement, func(raw json.RawMessage) bool {
		var s struct {
			ID string `json:"Sid"` //nolint:tagliatelle // AWS's
		}
		return json.Unmarshal(raw, &s) == nil && s.ID == id
	})
}

// with returns the policy with that statement put in the place of the one with
// its id, or added; all others stay.
func (p policy) with(s Statement) policy {
	p.Statement = slices.Clone(p.Statement)
	if i := p.index(s.ID); i >= 0 {
		p.Statement[i] = json.RawMessage(s.JSON)
		return p
	}
	p.Statement = append(p.Statement, json.RawMessage(s.JSON))
	return p
}

// canonical writes JSON with sorted keys and without spaces, so that two texts
// can be compared. What is no JSON stays as it is.
func canonical(text string) string {
	var v any
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return text
	}
	return mustCanonical(v)
}

// mustCanonical is for values that can be encoded: decoded JSON and our own.
func mustCanonical(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
