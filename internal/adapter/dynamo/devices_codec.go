package dynamo

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"io"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/belfry-push/belfry/internal/push"
)

// Attributes of the table of devices. It holds two kinds of item. The device
// itself, by its address:
//
//	pk A#<tenant>#<kind>#<hash of value>   sk device
//
// and, by its id, a pointer to it:
//
//	pk I#<shard>#<tenant>                  sk <id>
//
// A device exists if its pointer names an address whose item has its id. A
// pointer that names another's address counts as absent.
const (
	attrUser          = "user"           // tenant and user id, of index by_user; absent without a user
	attrQuarantine    = "quarantine"     // shard, of index quarantined; present only while quarantined
	attrQuarantinedAt = "quarantined_at" // sortable
	attrAddress       = "address"        // pointer: partition key of the device
	attrBind          = "bind"           // nonce of the put that gave this id this address, in both items
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
func addressKey(tenant string, a push.Address) item {
	sum := sha256.Sum256([]byte(a.Value.Reveal()))
	return deviceKey("A#" + scoped(tenant) + "#" + string(a.Kind) + "#" + base64.RawURLEncoding.EncodeToString(sum[:]))
}

func deviceKey(pk string) item { return item{attrPK: text(pk), attrSK: text(sortDevice)} }

func hashOf(s string, shards uint32) int {
	h := fnv.New32a()
	_, _ = io.WriteString(h, s) // never fails
	return int(h.Sum32() % shards)
}

func pointerPartition(tenant string, shard int) string {
	return "I#" + strconv.FormatInt(int64(shard), 16) + "#" + tenant
}

func pointerKey(tenant string, id push.ID) item {
	return item{attrPK: text(pointerPartition(tenant, hashOf(string(id), pointerShards))), attrSK: text(string(id))}
}

func encodePointer(tenant string, id push.ID, address string, bind nonce) item {
	i := pointerKey(tenant, id)
	i[attrAddress], i[attrBind] = text(address), bind.value()
	return i
}

func userKey(tenant, user string) string { return scoped(tenant) + "#" + user }

// encodeDevice returns a device's item with the nonces of its binding and of
// this write.
func encodeDevice(d *push.Device, bind, w nonce) item {
	i := addressKey(d.Tenant, d.Address)
	i[attrTenant], i[attrID] = text(d.Tenant), text(string(d.ID))
	i[attrAddressKind], i[attrValue] = text(string(d.Address.Kind)), text(d.Address.Value.Reveal())
	for name, s := range map[string]string{
		attrPlatform: string(d.Platform), attrUserID: d.UserID, attrLocale: d.Locale, attrTimezone: d.Timezone,
		attrAppVersion: d.AppVersion, attrSource: string(d.Source),
	} {
		i.setText(name, s)
	}
	if d.UserID != "" {
		i[attrUser] = text(userKey(d.Tenant, d.UserID))
	}
	if len(d.Attributes) > 0 {
		m := make(map[string]types.AttributeValue, len(d.Attributes))
		for k, v := range d.Attributes {
			m[k] = text(v)
		}
		i[attrAttributes] = &types.AttributeValueMemberM{Value: m}
	}
	i.setTime(attrCreated, d.CreatedAt)
	i.setTime(attrUpdated, d.UpdatedAt)
	i.setTime(attrLastSuccess, d.LastSuccessAt)
	i.setTime(attrLastFailure, d.LastFailureAt)
	if d.LastFailure != push.CodeOpen {
		i[attrFailureCode] = number(int64(d.LastFailure))
	}
	if d.State == push.DeviceQuarantined {
		i[attrQuarantine] = text(strconv.Itoa(hashOf(string(d.ID), quarantineShards)))
		i[attrQuarantinedAt] = text(sortable(d.QuarantinedAt))
	}
	i[attrBind], i[attrWrite] = bind.value(), w.value()
	return i
}

func decodeDevice(i item) (push.Device, error) {
	d := push.Device{
		Tenant: i.text(attrTenant), ID: push.ID(i.text(attrID)),
		Address:  push.Address{Kind: push.Kind(i.text(attrAddressKind)), Value: push.Token(i.text(attrValue))},
		Platform: push.Platform(i.text(attrPlatform)), UserID: i.text(attrUserID), Locale: i.text(attrLocale),
		Timezone: i.text(attrTimezone), AppVersion: i.text(attrAppVersion), Source: push.DeviceSource(i.text(attrSource)),
		State: push.DeviceActive, CreatedAt: i.time(attrCreated), UpdatedAt: i.time(attrUpdated),
		LastSuccessAt: i.time(attrLastSuccess), LastFailureAt: i.time(attrLastFailure),
		LastFailure: push.Code(i.number(attrFailureCode)), //nolint:gosec // written from one
	}
	if m, ok := i[attrAttributes].(*types.AttributeValueMemberM); ok {
		d.Attributes = make(map[string]string, len(m.Value))
		for k := range m.Value {
			d.Attributes[k] = item(m.Value).text(k)
		}
	}
	if i.has(attrQuarantine) {
		at, err := parseSortable(i.text(attrQuarantinedAt))
		if err != nil {
			return d, fmt.Errorf("stored device %s: %w", d.ID, err)
		}
		d.State, d.QuarantinedAt = push.DeviceQuarantined, at
	}
	return d, nil
}
