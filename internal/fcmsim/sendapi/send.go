package sendapi

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-push/belfry/internal/fcmsim/protojson"
)

// MaxBody is far above any valid request, and keeps a hostile one from filling memory.
const MaxBody = 1 << 20

// Scratch is the memory of one call.
type Scratch struct {
	in []byte
	// Out is the body of the answer to an accepted message.
	Out []byte
}

// Path returns the project of /v1/projects/{project}/messages:send.
func Path(path string) (project string, ok bool) {
	path, ok = strings.CutPrefix(path, "/v1/projects/")
	if !ok {
		return "", false
	}
	project, ok = strings.CutSuffix(path, "/messages:send")
	return project, ok && project != "" && !strings.Contains(project, "/")
}

// Call is one call of the send endpoint.
type Call struct {
	Project, Authorization, ContentType string
	// Body is all of the body, or more than [MaxBody] bytes of one that is too large. It is not kept.
	Body []byte
}

// Serve answers a call to send for a project. The request's context must have the connection, see [WithConn]. A panic
// with [http.ErrAbortHandler] ends what must not be answered: net/http then resets the stream, or closes the connection
// of HTTP/1.1. What is accepted is recorded before the wait: a client that gives up waiting cannot know.
func (s *API) Serve(w http.ResponseWriter, r *http.Request, project string) {
	mem, _ := s.scratch.Get().(*Scratch)
	defer s.scratch.Put(mem)
	conn := connOf(r.Context())
	body, err := mem.read(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client went away
	}
	v := s.Receive(conn,
		Call{Project: project, Authorization: r.Header.Get("Authorization"), ContentType: r.Header.Get("Content-Type"), Body: body}, mem)
	switch v.Fate {
	case FateRefuse:
		conn.Cut()
		panic(http.ErrAbortHandler)
	case FateHang:
		select {
		case <-r.Context().Done():
		case <-s.stopping:
		}
		panic(http.ErrAbortHandler)
	case FateAnswer, FateDrop:
	}
	if !s.latency.wait(r.Context()) || v.Fate == FateDrop {
		panic(http.ErrAbortHandler)
	}
	if v.Answer != nil {
		v.Answer.write(w)
		return
	}
	maps.Copy(w.Header(), s.okHeader)
	_, _ = w.Write(mem.Out) // a client that went away is not the simulator's problem
}

// Receive decides about a call and counts it.
func (s *API) Receive(conn *Conn, in Call, mem *Scratch) Verdict {
	s.count(conn)
	v := s.decide(in, mem)
	s.counters.byCode[v.code].Add(1)
	return v
}

// Pause returns how long the next answer takes.
func (s *API) Pause() time.Duration { return s.latency.draw() }

// AcceptedHeader returns the header of the answer to an accepted message. It must not be changed.
func (s *API) AcceptedHeader() http.Header { return s.okHeader }

// count counts a connection at its first send in this epoch.
func (s *API) count(c *Conn) {
	epoch := s.epoch.Load()
	if c.epoch.Load() != epoch && c.epoch.Swap(epoch) != epoch {
		s.counters.connections.Add(1)
	}
}

// IsJSON reports whether a Content-Type is that of JSON. A page can send anything else without asking for leave.
func IsJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == "application/json"
}

// decide finds out what becomes of a request. When it is accepted, the answer is in mem.Out.
func (s *API) decide(in Call, mem *Scratch) Verdict {
	now := s.cfg.Now()
	if v, hit := s.outage.strikes(now); hit {
		return v
	}
	if by := s.substitute.strikes(now); by != nil {
		if by.record {
			s.answerSend(in, mem, now)
		}
		return answered(by.answer)
	}
	return s.answerSend(in, mem, now)
}

// answerSend is decide for a request that reaches FCM.
func (s *API) answerSend(in Call, mem *Scratch, now time.Time) Verdict {
	if s.cfg.Tokens != nil {
		if reason := s.cfg.Tokens.Check(in.Authorization, now); reason != "" {
			return s.refused[reason]
		}
		if in.Project != cmp.Or(s.cfg.Tokens.Project(in.Authorization), s.cfg.Project) {
			return answered(permissionDenied(in.Project))
		}
	}
	if wait, ok := s.quota.take(now); !ok {
		return answered(quotaExceeded().withRetryAfter(strconv.FormatInt(wholeSeconds(wait), 10)))
	}
	if len(in.Body) > MaxBody {
		return answered(unparsable([]violation{{
			Description: fmt.Sprintf("Request payload size exceeds the limit: %d bytes.", MaxBody),
		}}))
	}
	if !IsJSON(in.ContentType) {
		return answered(notJSON())
	}
	tmpl, address, refusal := s.bodies.read(in.Body)
	if refusal != nil {
		return answered(refusal)
	}
	v := s.verdictOf(tmpl, address)
	if v.code != codeOK && v.code != codeDrop {
		return v
	}
	if tmpl.validateOnly { // the answer to a dry run always has this id, as quoted from the live service
		mem.Out = fmt.Appendf(mem.Out[:0], "{\n  \"name\": \"projects/%s/messages/fake_message_id\"\n}\n", s.cfg.Project)
		return Verdict{code: codeValidated}
	}
	number := s.record(record{at: now.UnixNano(), tmpl: tmpl, address: address})
	mem.Out = append(s.appendName(append(mem.Out[:0], "{\n  \"name\": \""...), number, now), "\"\n}\n"...)
	return v
}

// record keeps what was accepted, and drops the oldest of what is too much.
func (s *API) record(r record) uint64 {
	bytes := recordBytes + int64(len(r.address))
	if r.tmpl.counted.CompareAndSwap(false, true) {
		bytes += r.tmpl.bytes()
	}
	number, over := s.ledger.add(r, bytes)
	if over {
		s.uniques.trim(s.ledger)
	}
	return number
}

// verdictOf asks who refuses a good request, if anybody does.
func (s *API) verdictOf(tmpl *template, address string) Verdict {
	if v, ok := s.refusals.of(address); ok {
		return v
	}
	play := s.script.topicVerdict
	switch tmpl.target {
	case protojson.TargetToken, protojson.TargetFID:
		play = s.script.verdict
	case protojson.TargetTopic:
	case protojson.TargetCondition, protojson.TargetNone:
		return Verdict{code: codeOK}
	}
	if v, ok := play(address, tmpl.validateOnly); ok {
		return v
	}
	return Verdict{code: codeOK}
}

// read reads the body into the Scratch memory, up to a byte more than MaxBody.
func (m *Scratch) read(body io.Reader) ([]byte, error) {
	in := bytes.NewBuffer(m.in[:0])
	_, err := in.ReadFrom(io.LimitReader(body, MaxBody+1))
	m.in = in.Bytes()
	return m.in, err
}
