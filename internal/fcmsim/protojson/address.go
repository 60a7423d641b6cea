package protojson

import "bytes"

// GuessAddress returns where the token or installation id probably stands in a body, an empty range if there is none.
// It may be wrong: only [Decode] knows.
func GuessAddress(body []byte) (start, end int) {
	for _, key := range []string{`"token"`, `"fid"`} {
		at := bytes.Index(body, []byte(key))
		if at < 0 {
			continue
		}
		s := scanner{buf: body, pos: at + len(key)}
		if s.next(':') && s.next('"') {
			if n := bytes.IndexByte(body[s.pos:], '"'); n >= 0 {
				return s.pos, s.pos + n
			}
		}
	}
	return 0, 0
}
