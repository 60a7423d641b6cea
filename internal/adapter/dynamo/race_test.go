package dynamo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/belfry-push/belfry/internal/push"
)

// consistent reads batches as they are after every write.
type consistent struct{ *dynamodb.Client }

func (c consistent) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput,
	opts ...func(*dynamodb.Options),
) (*dynamodb.BatchGetItemOutput, error) {
	for name, asked := range in.RequestItems {
		asked.ConsistentRead = aws.Bool(true)
		in.RequestItems[name] = asked
	}
	return c.Client.BatchGetItem(ctx, in, opts...)
}

// TestDevicesUnderContention lets many register, move, steal and delete the same
// few devices at the same few addresses. Whoever won, every address must belong
// to a device that is at that address, and to one only.
func TestDevicesUnderContention(t *testing.T) {
	t.Parallel()
	const rounds, callers, calls, few = 5, 8, 6, 3
	x := newTables(t)
	for round := range rounds {
		tenant := fmt.Sprint("tenant-", round)
		var wg sync.WaitGroup
		for caller := range callers {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(round), uint64(caller)))
				s := x.store() // a process of its own
				for range calls {
					d := newDevice(tenant, fmt.Sprint("id-", r.IntN(few)), fmt.Sprint("value-", r.IntN(few)))
					if r.IntN(3) == 0 { // an id that follows from an address, of this device or another
						d.ID = push.SeenID(tenant, newDevice(tenant, "", fmt.Sprint("value-", r.IntN(few))).Address)
					}
					sent := push.DeviceNote{Address: d.Address, Code: push.CodeSent, At: at(), SentAt: at(), Record: true}
					var err error
					switch r.IntN(9) {
					case 2, 3:
						err = s.RecordDevices(t.Context(), tenant, []push.DeviceNote{sent})
					case 4:
						sent.Code, sent.Quarantine = push.CodeFCMUnregistered, true
						_, err = s.NoteDevices(t.Context(), tenant, []push.DeviceNote{sent})
					case 0:
						err = s.DeleteDevice(t.Context(), tenant, d.ID)
					case 1:
						_, err = s.NoteDevices(t.Context(), tenant, []push.DeviceNote{{Address: d.Address, Code: push.CodeSent, At: at(), SentAt: at()}})
					default:
						err = s.PutDevices(t.Context(), []push.Device{d})
					}
					if err != nil && !errors.Is(err, push.ErrNotFound) {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		s := newStore(consistent{x.client}, x.client, Config{Prefix: x.prefix})
		there := devicesOf(t.Context(), t, s, tenant)
		for i := range few {
			a := push.Address{Kind: push.KindToken, Value: push.Token(fmt.Sprint("value-", i))}
			found, err := s.DevicesByAddress(t.Context(), tenant, []push.Address{a})
			must(t, err)
			if holder, ok := found[a]; ok && there[holder.ID].Address != a {
				t.Errorf("round %d: %s is at %s, but its id leads to %s", round, holder.ID, a.Value.Reveal(),
					there[holder.ID].Address.Value.Reveal())
			}
		}
	}
}
