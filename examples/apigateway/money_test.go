package main

import (
	"encoding/json"
	"testing"
)

func TestMoneyJSON(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Money
		out  string // "" if it is in
	}{
		{"0", 0, "0.00"},
		{"0.00", 0, ""},
		{"12.99", 1299, ""},
		{"12.9", 1290, "12.90"},
		{"12", 1200, "12.00"},
		{"0.05", 5, ""},
		{"89.90", 8990, ""},
		{"-0.05", -5, ""},
		{"-12.34", -1234, ""},
		{"92233720368547758.07", 1<<63 - 1, ""},
		{"-92233720368547758.07", -(1<<63 - 1), ""},
	} {
		var m Money
		if err := json.Unmarshal([]byte(tt.in), &m); err != nil || m != tt.want {
			t.Errorf("%s: %d, %v, want %d", tt.in, m, err, tt.want)
			continue
		}
		if tt.out == "" {
			tt.out = tt.in
		}
		if b, err := json.Marshal(m); string(b) != tt.out || err != nil {
			t.Errorf("%d cents: %s, %v, want %s", m, b, err, tt.out)
		}
	}
}

func TestMoneyRefuses(t *testing.T) {
	for _, in := range []string{
		"1.999", "1.001", "1e2", "1.5e1", `"12.99"`, "true", "{}", "[]", "92233720368547758.08", "-92233720368547758.09", "1.-5", "1.+5",
	} {
		m := Money(7)
		if err := json.Unmarshal([]byte(in), &m); err == nil || m != 7 {
			t.Errorf("%s is %d cents, %v", in, m, err)
		}
	}
}

func TestMoneyAddsUpExactly(t *testing.T) {
	var items []Item
	if err := json.Unmarshal([]byte(`[{"price":0.1,"quantity":3},{"price":89.9,"quantity":1},{"price":7.49,"quantity":3}]`), &items); err != nil {
		t.Fatal(err)
	}
	var total Money
	for _, i := range items {
		total += i.Price * Money(i.Quantity)
	}
	if total != 30+8990+2247 {
		t.Errorf("%d cents", total)
	}
}
