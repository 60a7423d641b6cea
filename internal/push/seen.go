package push

import (
	"encoding/binary"
	"hash/fnv"
	"io"

	"github.com/google/uuid"
)

// A device that only sends know has an id that follows from its address: a UUIDv8 whose
// free bits are 122 of the SHA-256 of kind and value, the first 64 of them mixed with the
// tenant. The same address gets the same id in every process; two of a thousand million
// addresses share one with a chance of 1 in 10 million million million. From the id the
// first 64 bits are read back, so a store that is sorted by them finds a device by address
// and by id in one tree, and lists it in the order of ids.

// SeenKey returns the first 64 bits of the hash of a tenant's address, mixed with the
// tenant: the leading bits of [SeenID].
func SeenKey(tenant string, a Address) uint64 { return a.Hash() ^ tenantBits(tenant) }

func tenantBits(tenant string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, tenant) // never fails
	return h.Sum64()
}

// SeenID returns the id of a device that only sends know.
func SeenID(tenant string, a Address) ID {
	sum := a.sum()
	return seenID(binary.BigEndian.Uint64(sum[:8])^tenantBits(tenant), binary.BigEndian.Uint64(sum[8:16]))
}

// The free bits of a UUIDv8 (RFC 9562 §5.8): 48 before the version, 12 before the
// variant, 62 behind it. The key fills the first 60 and four behind the variant.
const (
	keyBehind = 4  // bits of the key that stand behind the variant
	tailBits  = 58 // bits of the hash that stand behind the key
)

func seenID(key, more uint64) ID {
	var u uuid.UUID
	high := key >> 16 << 16
	binary.BigEndian.PutUint64(u[:8], high|8<<12|key>>keyBehind&0xfff)
	binary.BigEndian.PutUint64(u[8:], 2<<62|(key&(1<<keyBehind-1))<<tailBits|more>>(64-tailBits))
	return ID(PrefixDevice + "_" + u.String())
}

// SeenKeyOf returns the key that an id names, if it has the form of [SeenID]'s. Whose
// address has that key is not known.
func SeenKeyOf(id ID) (key uint64, ok bool) {
	const prefix = PrefixDevice + "_"
	if len(id) != len(prefix)+36 || id[:len(prefix)] != prefix {
		return 0, false
	}
	u, err := uuid.Parse(string(id[len(prefix):]))
	if err != nil || u.Version() != 8 || u.Variant() != uuid.RFC4122 || u.String() != string(id[len(prefix):]) {
		return 0, false
	}
	front, back := binary.BigEndian.Uint64(u[:8]), binary.BigEndian.Uint64(u[8:])
	return front>>16<<16 | front&0xfff<<keyBehind | back>>tailBits&(1<<keyBehind-1), true
}
