package sharedrate

import (
	"encoding/json"
	"math"
	"time"
)

// stored is an item as it is written: short, because a bucket that many share has to be a small item.
type stored struct {
	Epoch   string   `json:"e"`
	At      int64    `json:"t"` // ms
	Level   int64    `json:"l"`
	Burst   int64    `json:"b"`
	Members []member `json:"m,omitempty"`
}

// MarshalJSON writes the stored form.
func (i item) MarshalJSON() ([]byte, error) {
	return json.Marshal(stored{i.Epoch, i.At.Milliseconds(), i.Level, i.Burst, i.Members})
}

// UnmarshalJSON reads the stored form, and ignores what later versions add.
func (i *item) UnmarshalJSON(data []byte) error {
	var s stored
	err := json.Unmarshal(data, &s)
	*i = item{s.Epoch, time.Duration(s.At) * time.Millisecond, s.Level, s.Burst, s.Members}
	return err
}

// MarshalJSON writes a member as an array, its times in milliseconds.
func (m member) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{
		m.ID, m.Left, m.Until.Milliseconds(), m.Asked.Milliseconds(), m.Got.Milliseconds(), math.Round(m.Wants*10) / 10,
	})
}

// UnmarshalJSON reads the array, and ignores what later versions append.
func (m *member) UnmarshalJSON(data []byte) error {
	var until, asked, got int64
	into := []any{&m.ID, &m.Left, &until, &asked, &got, &m.Wants}
	err := json.Unmarshal(data, &into)
	m.Until, m.Asked, m.Got = time.Duration(until)*time.Millisecond, time.Duration(asked)*time.Millisecond, time.Duration(got)*time.Millisecond
	return err
}
