package table

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Expression builds the update and condition texts of one write. Every
// attribute goes by a "#name", because DynamoDB reserves some 570 words
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html).
// The zero expression changes nothing and asks for nothing.
type Expression struct {
	Names  map[string]string               // attributes by placeholder
	Values map[string]types.AttributeValue // by placeholder

	sets, drops []string
	conditions  []string
}

// Name returns the placeholder of an attribute.
func (e *Expression) Name(attribute string) string {
	if e.Names == nil {
		e.Names = map[string]string{}
	}
	e.Names["#"+attribute] = attribute
	return "#" + attribute
}

// Value returns the placeholder of a value. Its name is not the attribute's
// where a condition compares what a change replaces.
func (e *Expression) Value(name string, v types.AttributeValue) string {
	if e.Values == nil {
		e.Values = map[string]types.AttributeValue{}
	}
	e.Values[":"+name] = v
	return ":" + name
}

// Set replaces an attribute.
func (e *Expression) Set(attribute string, v types.AttributeValue) {
	e.sets = append(e.sets, e.Name(attribute)+" = "+e.Value(attribute, v))
}

// Assign adds a clause of SET that the other methods cannot say.
func (e *Expression) Assign(clause string) { e.sets = append(e.sets, clause) }

// Drop removes an attribute.
func (e *Expression) Drop(attribute string) { e.drops = append(e.drops, e.Name(attribute)) }

// Where adds a condition that must hold beside the others.
func (e *Expression) Where(condition string) { e.conditions = append(e.conditions, condition) }

// Equal asks that an attribute is what it was when it was read.
func (e *Expression) Equal(attribute string, v types.AttributeValue) {
	e.Where(e.Name(attribute) + " = " + e.Value("was_"+attribute, v))
}

// Absent asks that the item does not exist. key is an attribute of its primary key.
func (e *Expression) Absent(key string) { e.Where("attribute_not_exists(" + e.Name(key) + ")") }

// AbsentOrExpired asks that the item does not exist, or only waits to be
// deleted by DynamoDB.
func (e *Expression) AbsentOrExpired(key string, nowSeconds int64) {
	e.Where("(attribute_not_exists(" + e.Name(key) + ") OR " + e.Name(TTLAttribute) + " <= " + e.Value("now", Number(nowSeconds)) + ")")
}

// when is the ConditionExpression, nil if there is none.
func (e *Expression) when() *string {
	if len(e.conditions) == 0 {
		return nil
	}
	return aws.String(strings.Join(e.conditions, " AND "))
}

// tell asks for the item that made the condition fail, where there is one.
func (e *Expression) tell() types.ReturnValuesOnConditionCheckFailure {
	if len(e.conditions) == 0 {
		return ""
	}
	return types.ReturnValuesOnConditionCheckFailureAllOld
}

// change is the UpdateExpression.
func (e *Expression) change() *string {
	var parts []string
	if len(e.sets) > 0 {
		parts = append(parts, "SET "+strings.Join(e.sets, ", "))
	}
	if len(e.drops) > 0 {
		parts = append(parts, "REMOVE "+strings.Join(e.drops, ", "))
	}
	return aws.String(strings.Join(parts, " "))
}

// Add changes a number that may be absent, which is 0.
func (e *Expression) Add(attribute string, n int64) {
	e.sets = append(e.sets, e.Name(attribute)+" = if_not_exists("+e.Name(attribute)+", "+e.Value("zero", Number(0))+") + "+
		e.Value(attribute, Number(n)))
}

// SetIfAbsent leaves what is there.
func (e *Expression) SetIfAbsent(attribute string, v types.AttributeValue) {
	e.sets = append(e.sets, e.Name(attribute)+" = if_not_exists("+e.Name(attribute)+", "+e.Value(attribute, v)+")")
}

// SetIf replaces a number, on condition that there is none or it compares so
// with the new one.
func (e *Expression) SetIf(attribute string, n int64, operator string) {
	e.Set(attribute, Number(n))
	e.Where("(attribute_not_exists(" + e.Name(attribute) + ") OR " + e.Name(attribute) + " " + operator + " :" + attribute + ")")
}
