package fcmsim

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxBody is far above any valid request, and keeps a hostile one from filling memory.
const maxBody = 1 << 20

// scratch is the memory of one request: what came in and, if the message was accepted, what goes out.
type scratch struct{ in, out []byte }

// ServeHTTP implements http.Handler for HTTP/1.1; HTTP/2 connections are served by h2server.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.welcome(w, r) {
		return
	}
	if r.Method == http.MethodPost {
		if project, ok := sendPath(r.URL.Path); ok {
			s.send(w, r, project)
			return
		}
	}
	s.mux.ServeHTTP(w, r)
}

// sendPath returns the project of /v1/projects/{project}/messages:send.
func sendPath(path string) (project string, ok bool) {
	path, ok = strings.CutPrefix(path, "/v1/projects/")
	if !ok {
		return "", false
	}
	project, ok = strings.CutSuffix(path, "/messages:send")
	return project, ok && project != "" && !strings.Contains(project, "/")
}

// call is one call of the send endpoint.
type call struct {
	project, authorization, contentType string
	body                                []byte
}

// send answers a call over HTTP/1.1. What it accepts is recorded before the wait: a client that gives up waiting
// cannot know.
func (s *Sim) send(w http.ResponseWriter, r *http.Request, project string) {
	mem, _ := s.scratch.Get().(*scratch)
	defer s.scratch.Put(mem)
	conn := connOf(r.Context())
	body, err := mem.read(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client went away
	}
	v := s.receive(conn, call{project: project, authorization: r.Header.Get("Authorization"), contentType: r.Header.Get("Content-Type"), body: body}, mem)
	switch v.fate {
	case fateRefuse:
		conn.cut()
		panic(http.ErrAbortHandler)
	case fateHang:
		select {
		case <-r.Context().Done():
		case <-s.stopping:
		}
		panic(http.ErrAbortHandler)
	case fateAnswer, fateDrop:
	}
	if !s.latency.wait(r.Context()) || v.fate == fateDrop {
		panic(http.ErrAbortHandler) // closes the connection
	}
	if v.answer != nil {
		v.answer.write(w)
		return
	}
	maps.Copy(w.Header(), s.okHeader)
	_, _ = w.Write(mem.out) // a client that went away is not the simulator's problem
}

// receive decides about a call and counts it.
func (s *Sim) receive(conn *connState, in call, mem *scratch) verdict {
	s.countConn(conn)
	v := s.decide(in, mem)
	s.counters.byCode[v.code].Add(1)
	return v
}

// countConn counts a connection at its first send in this epoch.
func (s *Sim) countConn(c *connState) {
	epoch := s.epoch.Load()
	if c.epoch.Load() != epoch && c.epoch.Swap(epoch) != epoch {
		s.counters.connections.Add(1)
	}
}

// decide finds out what becomes of a request. When it is accepted, the answer is in mem.out.
func (s *Sim) decide(in call, mem *scratch) verdict {
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
func (s *Sim) answerSend(in call, mem *scratch, now time.Time) verdict {
	if s.cfg.RequireAuth {
		if reason := s.tokens.check(in.authorization, now); reason != "" {
			return s.refused[reason]
		}
		if in.project != s.cfg.Project {
			return answered(permissionDenied(in.project))
		}
	}
	if wait, ok := s.quota.take(now); !ok {
		return answered(quotaExceeded().withRetryAfter(strconv.FormatInt(wholeSeconds(wait), 10)))
	}
	if len(in.body) > maxBody {
		return answered(unparsable([]violation{{
			Description: fmt.Sprintf("Request payload size exceeds the limit: %d bytes.", maxBody),
		}}))
	}
	if !isJSON(in.contentType) {
		return answered(notJSON())
	}
	tmpl, address, refusal := s.bodies.read(in.body)
	if refusal != nil {
		return answered(refusal)
	}
	v := s.verdictOf(tmpl, address)
	if v.code != codeOK && v.code != codeDrop {
		return v
	}
	if tmpl.validateOnly { // the answer to a dry run always has this id, as quoted from the live service
		mem.out = fmt.Appendf(mem.out[:0], "{\n  \"name\": \"projects/%s/messages/fake_message_id\"\n}\n", s.cfg.Project)
		return verdict{code: codeValidated}
	}
	number := s.ledger.add(record{at: now.UnixNano(), tmpl: tmpl, address: address})
	mem.out = append(s.appendName(append(mem.out[:0], "{\n  \"name\": \""...), number, now), "\"\n}\n"...)
	return v
}

// verdictOf asks who refuses a good request, if anybody does.
func (s *Sim) verdictOf(tmpl *template, address string) verdict {
	if v, ok := s.refusals.of(address); ok {
		return v
	}
	play := s.script.playTopic
	switch tmpl.target {
	case targetToken, targetFID:
		play = s.script.play
	case targetTopic:
	case targetCondition, targetNone:
		return verdict{code: codeOK}
	}
	if v, ok := play(address, tmpl.validateOnly); ok {
		return v
	}
	return verdict{code: codeOK}
}

// read reads the body into the scratch memory, up to a byte more than maxBody.
func (m *scratch) read(body io.Reader) ([]byte, error) {
	in := bytes.NewBuffer(m.in[:0])
	_, err := in.ReadFrom(io.LimitReader(body, maxBody+1))
	m.in = in.Bytes()
	return m.in, err
}
