package store

import (
	"strings"

	"github.com/redis/go-redis/v9"
)

// Slots is how many slots the keys of a Redis Cluster are spread over.
const Slots = 16384

// Slot is the slot that a key belongs to: that of its hash tag, the part between
// the first "{" and the next "}", if there is one with something in it.
func Slot(key string) int {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			key = tag
		}
	}
	return int(crc16(0, key) % Slots)
}

// crc16 is CRC-16/XMODEM, which goes on from crc: 0 at the beginning.
func crc16[T string | []byte](crc uint16, s T) uint16 {
	for i := range len(s) {
		crc = crc<<8 ^ crcTable[byte(crc>>8)^s[i]]
	}
	return crc
}

var crcTable = func() (table [256]uint16) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
		table[i] = crc
	}
	return table
}()

// slotOf is the slot of a command's first key, or -1 for one without keys, which
// any server takes. It knows the commands of this package; those of others have
// their key right behind the name.
func slotOf(cmd redis.Cmder) int {
	if a, ok := cmd.(*addition); ok {
		return Slot(a.key)
	}
	args := cmd.Args()
	name, _ := args[0].(string)
	at := 1
	switch name {
	case "EVAL", "EVALSHA":
		at = 3
	case "XGROUP", "XINFO":
		at = 2
	case "PING", "TIME", "PUBLISH", "CLIENT", "WAIT", "ASKING":
		return -1
	}
	if at < len(args) {
		if key, ok := args[at].(string); ok {
			return Slot(key)
		}
	}
	return -1
}
