package table

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Table is one table as it must be: the truth that provisioning, the
// infrastructure modules and the documents are checked against. Every key
// attribute is a string (S).
type Table struct {
	Name    string // with the prefix
	Key     Key
	Indexes []Index
	// TTL is the attribute whose epoch seconds say when DynamoDB may delete an
	// item; "" where nothing ages. DynamoDB deletes within days, so readers filter
	// as well.
	TTL string
	// Always on demand (PAY_PER_REQUEST), with point-in-time recovery, and
	// encrypted with the account's aws/dynamodb KMS key; stated as data so that
	// whoever checks a table finds everything here.
	OnDemand            bool
	PointInTimeRecovery bool
	Encrypted           bool
}

// Key names the attributes of a primary key. Sort is "" where the partition key
// alone identifies an item.
type Key struct {
	Partition, Sort string
}

// Index is a global secondary index. All of them project KEYS_ONLY: an update
// that leaves an item's keys alone then costs nothing in the index, and whoever
// finds an item through an index reads its present state from the table.
type Index struct {
	Name string
	Key  Key
}

// TTLAttribute is the name of the expiry attribute in every table that has one.
const TTLAttribute = "expires_at"

// names returns the key's attributes, partition first.
func (k Key) names() []string {
	if k.Sort == "" {
		return []string{k.Partition}
	}
	return []string{k.Partition, k.Sort}
}

// KeyAttributes returns the names of all attributes that are part of a key of
// the table or of an index, sorted.
func (t Table) KeyAttributes() []string {
	all := t.Key.names()
	for _, x := range t.Indexes {
		all = append(all, x.Key.names()...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// CreateInput returns the CreateTable request that makes the table. TTL and
// point-in-time recovery have calls of their own, see [CreateTables].
// (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html)
func (t Table) CreateInput() *dynamodb.CreateTableInput {
	in := &dynamodb.CreateTableInput{
		TableName: aws.String(t.Name), KeySchema: t.Key.schema(), BillingMode: types.BillingModePayPerRequest,
	}
	if t.Encrypted {
		in.SSESpecification = &types.SSESpecification{Enabled: aws.Bool(true), SSEType: types.SSETypeKms}
	}
	for _, name := range t.KeyAttributes() {
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{
			AttributeName: aws.String(name), AttributeType: types.ScalarAttributeTypeS,
		})
	}
	for _, x := range t.Indexes {
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName: aws.String(x.Name), KeySchema: x.Key.schema(),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		})
	}
	return in
}

func (k Key) schema() []types.KeySchemaElement {
	kinds := []types.KeyType{types.KeyTypeHash, types.KeyTypeRange}
	var out []types.KeySchemaElement
	for i, name := range k.names() {
		out = append(out, types.KeySchemaElement{AttributeName: aws.String(name), KeyType: kinds[i]})
	}
	return out
}
