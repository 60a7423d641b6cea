variable "prefix" {
  description = "What the names of all resources begin with; BELFRY_AWS_PREFIX of the services."
  type        = string
  default     = "belfry"
}

variable "kms_key_arn" {
  description = "KMS key of the items at rest. By default the account's own for DynamoDB (aws/dynamodb)."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
}
