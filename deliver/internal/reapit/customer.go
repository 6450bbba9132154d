package reapit

import "regexp"

// customer is how Reapit's ids of customers look, with an office group or without.
var customer = regexp.MustCompile(`^[A-Za-z0-9]{1,15}(-[A-Za-z0-9]{1,15})?$`)

// ValidCustomer tells whether id looks like one of a customer.
func ValidCustomer(id string) bool { return customer.MatchString(id) }
