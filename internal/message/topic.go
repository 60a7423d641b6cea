package message

import (
	"fmt"
	"strings"
)

// CheckTopic returns what is wrong with a topic's name, or "": it matches
// [a-zA-Z0-9-_.~%]+ and stands without "/topics/"
// (https://firebase.google.com/docs/cloud-messaging/topic-messaging).
func CheckTopic(name string) string {
	if name == "" {
		return "must not be empty"
	}
	if strings.HasPrefix(name, "/topics/") {
		return `must be the topic's name without "/topics/"`
	}
	if i := strings.IndexFunc(name, func(r rune) bool { return !topicByte(r) }); i >= 0 {
		return fmt.Sprintf("must match [a-zA-Z0-9-_.~%%]+ (byte %d is 0x%02x)", i, name[i])
	}
	return ""
}

func topicByte(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.~%", r)
}

// maxConditionTopics is how many topics one condition may name
// (https://firebase.google.com/docs/cloud-messaging/send-topic-messages).
const maxConditionTopics = 5

// CheckCondition returns what is wrong with a condition, or "": topics as 'name'
// in topics, joined with && and ||, negated with !, grouped with parentheses.
func CheckCondition(condition string) string {
	c := conditionParser{rest: condition}
	if !c.expression(0) || c.next() != "" {
		const form = `must be like 'news' in topics && !('sport' in topics || 'chess' in topics)`
		if c.why != "" {
			return c.why
		}
		if c.next() != "" {
			return fmt.Sprintf("%s (not understood from byte %d on)", form, len(condition)-len(c.rest))
		}
		return form + " (it ends too early)"
	}
	if c.topics > maxConditionTopics {
		return fmt.Sprintf("must name at most %d topics (got %d)", maxConditionTopics, c.topics)
	}
	return ""
}

type conditionParser struct {
	rest   string
	topics int
	why    string // what is wrong with the name of a topic
}

// next returns the next token without consuming it, empty at the end.
func (c *conditionParser) next() string {
	c.rest = strings.TrimLeft(c.rest, " \t\n")
	for _, symbol := range []string{"&&", "||", "(", ")", "!"} {
		if strings.HasPrefix(c.rest, symbol) {
			return symbol
		}
	}
	if len(c.rest) > 0 && (c.rest[0] == '\'' || c.rest[0] == '"') {
		if end := strings.IndexByte(c.rest[1:], c.rest[0]); end >= 0 {
			return c.rest[:end+2]
		}
		return c.rest[:1]
	}
	if end := strings.IndexAny(c.rest, " \t\n()&|!'\""); end > 0 {
		return c.rest[:end]
	}
	return c.rest
}

// take consumes the next token if it is this one.
func (c *conditionParser) take(token string) bool {
	if c.next() != token {
		return false
	}
	c.rest = c.rest[len(token):]
	return true
}

func (c *conditionParser) expression(depth int) bool {
	if !c.operand(depth) {
		return false
	}
	for c.take("&&") || c.take("||") {
		if !c.operand(depth) {
			return false
		}
	}
	return true
}

func (c *conditionParser) operand(depth int) bool {
	if depth > MaxDepth {
		return false
	}
	if c.take("!") {
		return c.operand(depth + 1)
	}
	if c.take("(") {
		return c.expression(depth+1) && c.take(")")
	}
	quoted := c.next()
	if len(quoted) < 2 || quoted[0] != '\'' && quoted[0] != '"' {
		return false
	}
	name := quoted[1 : len(quoted)-1]
	if why := CheckTopic(name); why != "" {
		c.why = fmt.Sprintf("topic %d: %s", c.topics+1, why)
		return false
	}
	c.topics++
	return c.take(quoted) && c.take("in") && c.take("topics")
}
