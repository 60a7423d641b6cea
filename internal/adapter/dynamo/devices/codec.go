package devices

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"io"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/belfry-push/belfry/internal/adapter/dynamo/table"
	"github.com/belfry-push/belfry/internal/push"
)

// Attributes of the table of devices. It holds three kinds of item: devices that only sends
// know (see seen.go); registered devices, by their address:
//
//	pk A#<tenant>#<kind>#<hash of value>   sk device
//
// and, by the id of each of these, a pointer to it:
//
//	pk I#<shard>#<tenant>                  sk <id>
//
// A registered device exists if its pointer names an address whose item has its id. A
// pointer that names another's address counts as absent.
const (
	attrUser          = "user"           // tenant and user id, of index by_user; absent without a user
	attrQuarantine    = "quarantine"     // shard, of index quarantined; present only while quarantined
	attrQuarantinedAt = "quarantined_at" // sortable
	attrAddress       = "address"        // pointer: partition key of the device
	attrBind          = "bind"           // nonce of the put that gave this id this address, in both items
	attrMarks         = "marks"          // of a mark: what it stands for
	attrValue         = "value"
	attrPlatform      = "platform"
	attrUserID        = "user_id"
	attrLocale        = "locale"
	attrTimezone      = "timezone"
	attrAppVersion    = "app_version"
	attrAttributes    = "attributes"
	attrSource        = "source"
	attrCreated       = "created_at" // these four: microseconds since 1970, absent if never
	attrLastSuccess   = "last_success_at"
	attrLastFailure   = "last_failure_at"
	attrFailureCode   = "last_failure"
	attrAddressKind   = "address_kind"
)

const (
	sortDevice = "device" // sort key of every device
	// pointerShards spreads a tenant's pointers: each takes 1,000 writes a second,
	// so that an import of 16,000 devices a second finds room.
	pointerShards = 16
	// quarantineShards spreads the index of quarantined devices.
	quarantineShards = 8
)

// addressKey is the key of the device that holds an address. Tokens are hashed:
// they may be longer than what is handy in a key, and a key shows in metrics of
// hot keys.
func addressKey(tenant string, a push.Address) table.Item {
	sum := sha256.Sum256([]byte(a.Value.Reveal()))
	return deviceKey("A#" + table.Scoped(tenant) + "#" + string(a.Kind) + "#" + base64.RawURLEncoding.EncodeToString(sum[:]))
}

func deviceKey(pk string) table.Item {
	return table.Item{table.AttrPK: table.Text(pk), table.AttrSK: table.Text(sortDevice)}
}

func hashOf(s string, shards uint32) int {
	h := fnv.New32a()
	_, _ = io.WriteString(h, s) // never fails
	return int(h.Sum32() % shards)
}

func pointerPartition(tenant string, shard int) string {
	return "I#" + strconv.FormatInt(int64(shard), 16) + "#" + tenant
}

func pointerKey(tenant string, id push.ID) table.Item {
	return table.Item{
		table.AttrPK: table.Text(pointerPartition(tenant, hashOf(string(id), pointerShards))), table.AttrSK: table.Text(string(id)),
	}
}

func encodePointer(tenant string, id push.ID, address string, bind table.Nonce) table.Item {
	i := pointerKey(tenant, id)
	i[attrAddress], i[attrBind] = table.Text(address), bind.Value()
	return i
}

func userKey(tenant, user string) string { return table.Scoped(tenant) + "#" + user }

// encodeDevice returns a device's item in a place, with the nonces of its binding, which
// only registered devices have, and of this write.
func encodeDevice(d *push.Device, place table.Item, bind, w table.Nonce) table.Item {
	i := place.Key(table.AttrPK, table.AttrSK)
	i[table.AttrTenant], i[table.AttrID] = table.Text(d.Tenant), table.Text(string(d.ID))
	i[attrAddressKind], i[attrValue] = table.Text(string(d.Address.Kind)), table.Text(d.Address.Value.Reveal())
	for name, s := range map[string]string{
		attrPlatform: string(d.Platform), attrUserID: d.UserID, attrLocale: d.Locale, attrTimezone: d.Timezone,
		attrAppVersion: d.AppVersion, attrSource: string(d.Source),
	} {
		i.SetText(name, s)
	}
	if d.UserID != "" {
		i[attrUser] = table.Text(userKey(d.Tenant, d.UserID))
	}
	if len(d.Attributes) > 0 {
		m := make(map[string]types.AttributeValue, len(d.Attributes))
		for k, v := range d.Attributes {
			m[k] = table.Text(v)
		}
		i[attrAttributes] = &types.AttributeValueMemberM{Value: m}
	}
	i.SetTime(attrCreated, d.CreatedAt)
	i.SetTime(table.AttrUpdated, d.UpdatedAt)
	i.SetTime(attrLastSuccess, d.LastSuccessAt)
	i.SetTime(attrLastFailure, d.LastFailureAt)
	if d.LastFailure != push.CodeOpen {
		i[attrFailureCode] = table.Number(int64(d.LastFailure))
	}
	if d.State == push.DeviceQuarantined {
		i[attrQuarantine] = table.Text(strconv.Itoa(hashOf(string(d.ID), quarantineShards)))
		i[attrQuarantinedAt] = table.Text(table.Sortable(d.QuarantinedAt))
	}
	if bind != (table.Nonce{}) {
		i[attrBind] = bind.Value()
	}
	i[table.AttrWrite] = w.Value()
	return i
}

func decodeDevice(i table.Item) (push.Device, error) {
	d := push.Device{
		Tenant: i.Text(table.AttrTenant), ID: push.ID(i.Text(table.AttrID)),
		Address:  push.Address{Kind: push.Kind(i.Text(attrAddressKind)), Value: push.Token(i.Text(attrValue))},
		Platform: push.Platform(i.Text(attrPlatform)), UserID: i.Text(attrUserID), Locale: i.Text(attrLocale),
		Timezone: i.Text(attrTimezone), AppVersion: i.Text(attrAppVersion), Source: push.DeviceSource(i.Text(attrSource)),
		State: push.DeviceActive, CreatedAt: i.Time(attrCreated), UpdatedAt: i.Time(table.AttrUpdated),
		LastSuccessAt: i.Time(attrLastSuccess), LastFailureAt: i.Time(attrLastFailure),
		LastFailure: push.Code(i.Number(attrFailureCode)), //nolint:gosec // written from one
	}
	if m, ok := i[attrAttributes].(*types.AttributeValueMemberM); ok {
		d.Attributes = make(map[string]string, len(m.Value))
		for k := range m.Value {
			d.Attributes[k] = table.Item(m.Value).Text(k)
		}
	}
	if i.Has(attrQuarantine) {
		at, err := table.ParseSortable(i.Text(attrQuarantinedAt))
		if err != nil {
			return d, fmt.Errorf("stored device %s: %w", d.ID, err)
		}
		d.State, d.QuarantinedAt = push.DeviceQuarantined, at
	}
	return d, nil
}
