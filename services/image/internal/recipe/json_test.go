package recipe

import (
	"strings"
	"testing"

	"calotype/kit/fault"
)

// A document is asked for as pictures are, and has none of a picture's choices.
func TestFormatJSON(t *testing.T) {
	v, err := Parse("w_100,c_limit/f_json,fl_keep_metadata,pg_2")
	if err != nil || v.Output.Format != JSON || Canonical(v) != "c_limit,w_100/f_json,fl_keep_metadata,pg_2" {
		t.Errorf("%+v, %v", v, err)
	}
	for text, want := range map[string]string{
		"f_json,q_80": "json takes no quality", "f_json,fl_lossless": "not for json", "f_json,fl_progressive": "not for json",
		"f_json,fl_png8": "not for json", "f_json,fl_chroma_444": "not for json", "f_jsn": `did you mean "json"`,
	} {
		_, err := Parse(text)
		if f := fault.As(err); f == nil || len(f.Fields) != 1 || !strings.Contains(f.Fields[0].Message, want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if f, err := FromExtension(".JSON"); err != nil || f != JSON || f.ContentType() != "application/json" {
		t.Errorf("%q, %v", f, err)
	}
	got, _, err := (Variant{}).Negotiate("json", "*/*", Source{Format: "heic", Pages: 1})
	if err != nil || got.Output != (Output{Format: JSON, Background: Transparent}) {
		t.Errorf("%+v, %v", got, err)
	}
}
