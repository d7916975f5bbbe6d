package app_test

import (
	"strings"
	"testing"

	"calotype/kit/fault"
	"calotype/services/image/app"
)

func TestCheckAddress(t *testing.T) {
	for path, says := range map[string]string{
		"w_512,c_limit/img_1.webp":     "",
		"img_1":                        "",
		"t_ours:large,q_80/img_1":      "",
		"w_auto,dpr_auto/f_auto/img_1": "",
		"w_512,c_limt/img_1.webp":      `did you mean "limit"?`,
		"q_auto:god,bytes_9/img_1":     "is not within",
		"w_5/img_1.docx":               "docx",
		"c_fill,w_5/img_1":             "fill needs a height",
		"w_5/":                         "names no image",
	} {
		err := app.CheckAddress(path)
		if says == "" && err != nil || says != "" && (!fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %v, want %q", path, err, says)
		}
	}
}
