package message

import "time"

// Personal measures what a message comes to with what one recipient has of its own. It
// is immutable. It builds the message only for a recipient with an [Override], and
// allocates nothing for others.
type Personal struct {
	message  map[string]any
	delivery Delivery

	sizes Sizes  // without any of a recipient's own
	tag   string // that the sizes have in it

	tagsAndroid, tagsWeb bool           // whether the tag is ours to set
	android, common, web map[string]any // the data that each platform gets
	json                 bool           // an Apple device's data count as JSON
}

// NewPersonal returns the measure of a checked message. d is what the
// notification adds to it; its Data and Override are not looked at.
func NewPersonal(m map[string]any, d Delivery) *Personal {
	d.Data, d.Override = nil, Override{}
	whole, _ := Complete(m, d, time.Time{})
	p := &Personal{message: m, delivery: d, sizes: Measure(whole), tag: d.ID, common: child(whole, "data")}
	if d.CollapseID != "" {
		p.tag = d.CollapseID
	}
	android, web := child(whole, "android"), child(whole, "webpush")
	p.android, p.web = either(child(android, "data"), p.common), either(child(web, "data"), p.common)
	p.tagsAndroid = child(child(m, "android"), "notification")["tag"] == nil && android["notification"] != nil
	p.tagsWeb = child(child(m, "webpush"), "notification")["tag"] == nil && web["notification"] != nil
	_, p.json = child(whole, "apns")["payload"].(map[string]any)
	return p
}

// Sizes returns what [Measure] returns of the message that [Complete] makes with
// the same data, the same override and, unless it is empty, collapse id.
func (p *Personal) Sizes(data map[string]string, collapseID string, o Override) Sizes {
	if !o.IsZero() {
		whole, _ := Complete(p.message, p.with(data, collapseID, o), time.Time{})
		return Measure(whole)
	}
	s := p.sizes
	for k, v := range data {
		s.Android += grown(p.android, k, v)
		s.Web += grown(p.web, k, v)
		if !p.json {
			s.APNs += grown(p.common, k, v)
			continue
		}
		s.APNs += memberBytes(k, v)
		if old, ok := p.common[k].(string); ok {
			s.APNs -= memberBytes(k, old)
		}
	}
	if collapseID != "" && p.tagsAndroid {
		s.Android += len(collapseID) - len(p.tag)
	}
	if collapseID != "" && p.tagsWeb {
		s.Web += quotedBytes(collapseID) - quotedBytes(p.tag)
	}
	return s
}

// Check returns what FCM would refuse of the message with an override.
func (p *Personal) Check(o Override) []Fault {
	if o.IsZero() {
		return nil // the message itself was checked when it came
	}
	return Check(o.Apply(p.message))
}

func (p *Personal) with(data map[string]string, collapseID string, o Override) Delivery {
	d := p.delivery
	d.Data, d.Override = data, o
	if collapseID != "" {
		d.CollapseID = collapseID
	}
	return d
}

// grown is by how much an entry makes a map of texts grow.
func grown(m map[string]any, k, v string) int {
	if old, ok := m[k].(string); ok {
		return len(v) - len(old)
	}
	return len(k) + len(v)
}
