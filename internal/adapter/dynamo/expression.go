package dynamo

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// expression builds the update and condition texts of one write. Every
// attribute goes by a "#name", because DynamoDB reserves some 570 words
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html).
// The zero expression changes nothing and asks for nothing.
type expression struct {
	names       map[string]string
	values      map[string]types.AttributeValue
	sets, drops []string
	conditions  []string
}

// name returns the placeholder of an attribute.
func (e *expression) name(attribute string) string {
	if e.names == nil {
		e.names = map[string]string{}
	}
	e.names["#"+attribute] = attribute
	return "#" + attribute
}

// value returns the placeholder of a value. Its name is not the attribute's
// where a condition compares what a change replaces.
func (e *expression) value(name string, v types.AttributeValue) string {
	if e.values == nil {
		e.values = map[string]types.AttributeValue{}
	}
	e.values[":"+name] = v
	return ":" + name
}

// set replaces an attribute.
func (e *expression) set(attribute string, v types.AttributeValue) {
	e.sets = append(e.sets, e.name(attribute)+" = "+e.value(attribute, v))
}

// drop removes an attribute.
func (e *expression) drop(attribute string) { e.drops = append(e.drops, e.name(attribute)) }

// where adds a condition that must hold beside the others.
func (e *expression) where(condition string) { e.conditions = append(e.conditions, condition) }

// equal asks that an attribute is what it was when it was read.
func (e *expression) equal(attribute string, v types.AttributeValue) {
	e.where(e.name(attribute) + " = " + e.value("was_"+attribute, v))
}

// absent asks that the item does not exist. key is an attribute of its primary key.
func (e *expression) absent(key string) { e.where("attribute_not_exists(" + e.name(key) + ")") }

// absentOrExpired asks that the item does not exist, or only waits to be
// deleted by DynamoDB.
func (e *expression) absentOrExpired(key string, nowSeconds int64) {
	e.where("(attribute_not_exists(" + e.name(key) + ") OR " + e.name(TTLAttribute) + " <= " + e.value("now", number(nowSeconds)) + ")")
}

// when is the ConditionExpression, nil if there is none.
func (e *expression) when() *string {
	if len(e.conditions) == 0 {
		return nil
	}
	return aws.String(strings.Join(e.conditions, " AND "))
}

// tell asks for the item that made the condition fail, where there is one.
func (e *expression) tell() types.ReturnValuesOnConditionCheckFailure {
	if len(e.conditions) == 0 {
		return ""
	}
	return types.ReturnValuesOnConditionCheckFailureAllOld
}

// change is the UpdateExpression.
func (e *expression) change() *string {
	var parts []string
	if len(e.sets) > 0 {
		parts = append(parts, "SET "+strings.Join(e.sets, ", "))
	}
	if len(e.drops) > 0 {
		parts = append(parts, "REMOVE "+strings.Join(e.drops, ", "))
	}
	return aws.String(strings.Join(parts, " "))
}

// add changes a number that may be absent, which is 0.
func (e *expression) add(attribute string, n int64) {
	e.sets = append(e.sets, e.name(attribute)+" = if_not_exists("+e.name(attribute)+", "+e.value("zero", number(0))+") + "+
		e.value(attribute, number(n)))
}

// setIfAbsent leaves what is there.
func (e *expression) setIfAbsent(attribute string, v types.AttributeValue) {
	e.sets = append(e.sets, e.name(attribute)+" = if_not_exists("+e.name(attribute)+", "+e.value(attribute, v)+")")
}

// setIf replaces a number, on condition that there is none or it compares so
// with the new one.
func (e *expression) setIf(attribute string, n int64, operator string) {
	e.set(attribute, number(n))
	e.where("(attribute_not_exists(" + e.name(attribute) + ") OR " + e.name(attribute) + " " + operator + " :" + attribute + ")")
}
