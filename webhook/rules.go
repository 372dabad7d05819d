package webhook

import (
	"errors"
	"fmt"
	"reflect"
)

// checkRules finds rules in validate tags that the validator does not know, as far as a
// body of {} gets to them: each request would panic.
func (b *binding) checkRules() error {
	var errs []error
	for _, t := range b.structs {
		errs = append(errs, b.checkRulesOf(t))
	}
	return errors.Join(errs...)
}

func (b *binding) checkRulesOf(t reflect.Type) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("webhook: a %s cannot be validated: %v (Service.Validator registers rules)", t, v)
		}
	}()
	_ = b.validate.Struct(reflect.New(t).Interface()) // it is empty: whether it is valid says nothing
	return nil
}
