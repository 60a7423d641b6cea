package table

import "github.com/aws/aws-sdk-go-v2/service/dynamodb"

// IndexQuery selects one partition of an index, optionally with a bound on its
// sort key: an operator of DynamoDB's, "" for none.
func IndexQuery(table, index, partition, value, sort, operator, bound string) *dynamodb.QueryInput {
	var e Expression
	cond := e.Name(partition) + " = " + e.Value("partition", Text(value))
	if operator != "" {
		cond += " AND " + e.Name(sort) + " " + operator + " " + e.Value("bound", Text(bound))
	}
	return &dynamodb.QueryInput{
		TableName: &table, IndexName: &index, KeyConditionExpression: &cond,
		ExpressionAttributeNames: e.Names, ExpressionAttributeValues: e.Values,
	}
}
