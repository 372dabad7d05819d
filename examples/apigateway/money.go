package main

import (
	"fmt"
	"strconv"
	"strings"
)

// Money is an amount in cents. In JSON it is a number with up to two decimals,
// which binary floating point could not add up exactly.
type Money int64

// MarshalJSON implements json.Marshaler.
func (m Money) MarshalJSON() ([]byte, error) {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	return fmt.Appendf(nil, "%s%d.%02d", sign, m/100, m%100), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *Money) UnmarshalJSON(b []byte) error {
	whole, cents, _ := strings.Cut(string(b), ".")
	if len(cents) > 2 {
		return fmt.Errorf("%s is no amount: it has more than two decimals", b)
	}
	n, err := strconv.ParseInt(whole+(cents + "00")[:2], 10, 64)
	if err != nil {
		return fmt.Errorf("%s is no amount", b)
	}
	*m = Money(n)
	return nil
}
