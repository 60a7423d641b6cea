package table

import (
	"math"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// ItemSize returns the bytes that DynamoDB counts for an item: names and values
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html).
// A write unit covers 1,024 of them, a read unit 4,096.
func ItemSize(i Item) int {
	size := 0
	for name, v := range i {
		size += len(name) + valueSize(v)
	}
	return size
}

func valueSize(v types.AttributeValue) int {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberN: // about a byte for two digits, and one more
		digits := len(strings.Trim(strings.TrimLeft(v.Value, "-0"), "0"))
		return int(math.Ceil(float64(digits)/2)) + 1 + strings.Count(v.Value, "-")
	case *types.AttributeValueMemberM:
		return 3 + len(v.Value) + ItemSize(v.Value)
	case *types.AttributeValueMemberL:
		size := 3
		for _, x := range v.Value {
			size += 1 + valueSize(x)
		}
		return size
	default: // BOOL and NULL; sets are not used
		return 1
	}
}
