package push

import (
	"encoding/json"
	"time"

	"github.com/belfry-push/belfry/internal/message"
)

// LetterRecord is a letter as it is exported.
type LetterRecord struct {
	ID           ID                `json:"id"`
	Kind         LetterKind        `json:"kind"`
	Tenant       string            `json:"tenant,omitempty"`
	App          string            `json:"app,omitempty"`
	Queue        string            `json:"queue"`
	Code         Code              `json:"code"`
	LastCode     Code              `json:"last_code,omitzero"`
	Detail       string            `json:"detail,omitempty"`
	Attempts     int               `json:"attempts,omitempty"`
	Series       int               `json:"series,omitempty"`
	ReplayOf     ID                `json:"replay_of,omitempty"`
	Notification ID                `json:"notification,omitempty"`
	Seq          int               `json:"seq,omitempty"`
	Cell         int               `json:"cell"`
	Turn         int               `json:"turn,omitempty"`
	AddressKind  Kind              `json:"address_kind,omitempty"`
	Address      Token             `json:"address,omitempty"`
	UserID       string            `json:"user_id,omitempty"`
	DeviceID     ID                `json:"device_id,omitempty"`
	Line         int64             `json:"line,omitempty"`
	Data         map[string]string `json:"data,omitempty"`
	Locale       string            `json:"locale,omitempty"`
	CollapseID   string            `json:"collapse_id,omitempty"`
	Override     message.Override  `json:"override,omitzero"`
	Renew        bool              `json:"renew,omitempty"`
	Body         []byte            `json:"body,omitempty"`
	Bytes        int               `json:"bytes,omitempty"`
	AcceptedAt   time.Time         `json:"accepted_at,omitzero"`
	DeadAt       time.Time         `json:"dead_at"`
	StoredAt     time.Time         `json:"stored_at"`
	TraceParent  string            `json:"traceparent,omitempty"`
	Software     string            `json:"software,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	Fingerprint  string            `json:"fingerprint"`
	Template     string            `json:"template,omitempty"`
	Pattern      string            `json:"pattern,omitempty"`
	State        LetterState       `json:"state"`
	Version      int64             `json:"version"`
	Replay       ID                `json:"replay,omitempty"`
	Outcome      Code              `json:"outcome,omitzero"`
	MovedAt      time.Time         `json:"moved_at,omitzero"`
	Reason       string            `json:"reason,omitempty"`
	By           string            `json:"by,omitempty"`
}

// MarshalJSON implements [json.Marshaler]: the whole letter, its address
// included.
func (l Letter) MarshalJSON() ([]byte, error) {
	r := &l.Recipient
	return json.Marshal(LetterRecord{
		ID: l.ID, Kind: l.Kind, Tenant: l.Tenant, App: l.App, Queue: l.Queue, Code: l.Code, LastCode: l.LastCode, Detail: l.Detail,
		Attempts: l.Attempts, Series: l.Series, ReplayOf: l.ReplayOf,
		Notification: l.Notification, Seq: l.Seq, Cell: l.Cell, Turn: l.Turn,
		AddressKind: r.Address.Kind, Address: r.Address.Value, UserID: r.UserID, DeviceID: r.DeviceID, Line: r.Line,
		Data: r.Data, Locale: r.Locale, CollapseID: r.CollapseID, Override: r.Override, Renew: r.Renew, Body: l.Body, Bytes: l.Bytes,
		AcceptedAt: l.AcceptedAt, DeadAt: l.DeadAt, StoredAt: l.StoredAt, TraceParent: l.TraceParent, Software: l.Software,
		Labels: l.Labels, Fingerprint: l.Fingerprint, Template: l.Template, Pattern: l.Pattern,
		State: l.State, Version: l.Version, Replay: l.Replay, Outcome: l.Outcome, MovedAt: l.MovedAt, Reason: l.Reason, By: l.By,
	})
}

// UnmarshalJSON implements [json.Unmarshaler].
func (l *Letter) UnmarshalJSON(b []byte) error {
	var in LetterRecord
	if err := json.Unmarshal(b, &in); err != nil { //nolint:forbidigo // Belfry's own; an archive is read by DecodeLetter
		return err
	}
	*l = in.Letter()
	return nil
}

// Letter returns the letter that the record is of.
func (in *LetterRecord) Letter() Letter {
	return Letter{
		ID: in.ID, Kind: in.Kind, Tenant: in.Tenant, App: in.App, Queue: in.Queue, Code: in.Code, LastCode: in.LastCode, Detail: in.Detail,
		Attempts: in.Attempts, Series: in.Series, ReplayOf: in.ReplayOf,
		Notification: in.Notification, Seq: in.Seq, Cell: in.Cell, Turn: in.Turn,
		Recipient: Recipient{
			Address: Address{Kind: in.AddressKind, Value: in.Address}, UserID: in.UserID, DeviceID: in.DeviceID, Line: in.Line,
			Data: in.Data, Locale: in.Locale, CollapseID: in.CollapseID, Override: in.Override, Renew: in.Renew,
		},
		Body: in.Body, Bytes: in.Bytes, AcceptedAt: in.AcceptedAt, DeadAt: in.DeadAt, StoredAt: in.StoredAt, TraceParent: in.TraceParent,
		Software: in.Software,
		Labels:   in.Labels, Fingerprint: in.Fingerprint, Template: in.Template, Pattern: in.Pattern,
		State: in.State, Version: in.Version, Replay: in.Replay, Outcome: in.Outcome, MovedAt: in.MovedAt, Reason: in.Reason, By: in.By,
	}
}
