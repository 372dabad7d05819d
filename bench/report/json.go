package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// WriteJSON writes a line for the run and one for each result.
func WriteJSON(w io.Writer, meta Meta, rs *Results) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(meta); err != nil {
		return err
	}
	for _, r := range rs.all {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// ReadJSON reads what WriteJSON wrote.
func ReadJSON(r io.Reader) (meta Meta, rs *Results, err error) {
	dec := json.NewDecoder(r)
	if err := dec.Decode(&meta); err != nil {
		return meta, nil, fmt.Errorf("the first line is none of a run: %w", err)
	}
	rs = new(Results)
	for {
		var one Result
		switch err := dec.Decode(&one); {
		case errors.Is(err, io.EOF):
			return meta, rs, nil
		case err != nil:
			return meta, nil, err
		}
		rs.all = append(rs.all, &one)
	}
}
