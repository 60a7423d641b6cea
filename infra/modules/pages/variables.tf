variable "prefix" {
  description = "What the names of all resources begin with; BELFRY_AWS_PREFIX of the services."
  type        = string
  default     = "belfry"
}

variable "bucket" {
  description = "Name of the bucket; BELFRY_AWS_BUCKET of the services. By default PREFIX-pages-ACCOUNT-REGION, which they assume."
  type        = string
  default     = null
}

variable "kms_key_arn" {
  description = "KMS key of the objects at rest. By default S3's own key (SSE-S3), which is free and needs no permissions."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
}
