package report

import (
	"encoding/json"
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
