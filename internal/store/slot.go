package store

import "strings"

// slots is how many hash slots Redis Cluster has.
const slots = 1 << 14

// crcTable is of CRC-16/XMODEM, by which Redis Cluster spreads keys.
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

// crc16 goes on from crc, which is 0 at the beginning.
func crc16[T string | []byte](crc uint16, s T) uint16 {
	for i := range len(s) {
		crc = crc<<8 ^ crcTable[byte(crc>>8)^s[i]]
	}
	return crc
}

// Slot is the hash slot of a key: that of its hash tag, if it has one.
func Slot(key string) int {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			key = tag
		}
	}
	return int(crc16(0, key) % slots)
}
