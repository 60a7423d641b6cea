// Package infra holds tests of the OpenTofu/Terraform modules beside it: that
// they make exactly what belfry provision makes, and that every queue has its
// dead-letter queue, encryption and alarms. The modules are evaluated here as far
// as such a comparison needs; what only the provider knows (are the arguments
// its?) is checked by tofu validate.
package infra
