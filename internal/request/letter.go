package request

import (
	"github.com/belfry-push/belfry/internal/push"
)

// DecodeLetter reads a letter of an archive, which comes from outside; see
// [DecodeKnown]. It repeats no address in an error.
func DecodeLetter(line []byte) (push.Letter, error) {
	var in push.LetterRecord
	if err := DecodeKnown(line, &in); err != nil {
		return push.Letter{}, err
	}
	return in.Letter(), nil
}
