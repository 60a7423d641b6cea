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
	Slow    *slow    `json:"s,omitempty"`
	Members []member `json:"m,omitempty"`
	Period  string   `json:"p,omitempty"`
	Backs   int64    `json:"r,omitempty"`
}

// MarshalJSON writes the stored form.
func (i item) MarshalJSON() ([]byte, error) {
	s := stored{i.Epoch, i.At.Milliseconds(), i.Level, i.Burst, nil, i.Members, i.Period, i.Backs}
	if i.Slow.To > 0 {
		s.Slow = &i.Slow
	}
	return json.Marshal(s)
}

// UnmarshalJSON reads the stored form, and ignores what later versions add.
func (i *item) UnmarshalJSON(data []byte) error {
	var s stored
	err := json.Unmarshal(data, &s)
	*i = item{s.Epoch, time.Duration(s.At) * time.Millisecond, s.Level, s.Burst, slow{}, s.Members, s.Period, s.Backs}
	if s.Slow != nil {
		i.Slow = *s.Slow
	}
	return err
}

// MarshalJSON writes an array, its time in milliseconds.
func (s slow) MarshalJSON() ([]byte, error) { return json.Marshal([]any{s.To, s.At.Milliseconds()}) }

// UnmarshalJSON reads the array.
func (s *slow) UnmarshalJSON(data []byte) error {
	var at int64
	into := []any{&s.To, &at}
	err := json.Unmarshal(data, &into)
	s.At = time.Duration(at) * time.Millisecond
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
