package fcmsim

import "strings"

// maxConditionTopics is how many topics one condition may name
// (https://firebase.google.com/docs/cloud-messaging/send-topic-messages).
const maxConditionTopics = 5

// validCondition checks a topic condition: topics as 'name' in topics, joined with && and ||, negated with !, grouped
// with parentheses.
func validCondition(condition string) bool {
	c := conditionParser{rest: condition}
	return c.expression(0) && c.next() == "" && c.topics <= maxConditionTopics
}

type conditionParser struct {
	rest   string
	topics int
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
	if depth > maxDepth {
		return false
	}
	if c.take("!") {
		return c.operand(depth + 1)
	}
	if c.take("(") {
		return c.expression(depth+1) && c.take(")")
	}
	name := c.next()
	if len(name) < 3 || name[0] != '\'' && name[0] != '"' {
		return false
	}
	c.topics++
	return c.take(name) && c.take("in") && c.take("topics")
}
