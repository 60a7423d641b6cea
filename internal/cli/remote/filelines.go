package remote

// fileLines maps the number of an upload's line to the line of the file. The
// two run in step but for a header and for values that span lines, so only the
// places where they part are kept, of lines that are not settled yet.
type fileLines struct {
	from []int64 // upload line, ascending
	gap  []int64 // file line minus upload line, from there on
}

func (m *fileLines) add(upload, file int64) {
	if n := len(m.gap); n == 0 || m.gap[n-1] != file-upload {
		m.from, m.gap = append(m.from, upload), append(m.gap, file-upload)
	}
}

// file returns the line of the file; for an upload line that was never added
// it continues the last gap.
func (m *fileLines) file(upload int64) int64 {
	gap := int64(0)
	for i, from := range m.from {
		if from > upload {
			break
		}
		gap = m.gap[i]
	}
	return upload + gap
}

// settle forgets what is only about lines up to this one.
func (m *fileLines) settle(upload int64) {
	keep := 0
	for keep+1 < len(m.from) && m.from[keep+1] <= upload+1 {
		keep++
	}
	m.from = m.from[:copy(m.from, m.from[keep:])]
	m.gap = m.gap[:copy(m.gap, m.gap[keep:])]
}
