# The bucket of upload pages, reports and exports. Pages outlive the ledger's 90 days, because reports read them for line
# numbers, and leave a month for batches that waited to be started.

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

resource "aws_s3_bucket" "pages" {
  bucket = coalesce(var.bucket, "${var.prefix}-pages-${data.aws_caller_identity.current.account_id}-${data.aws_region.current.region}")
  tags   = var.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "pages" {
  bucket = aws_s3_bucket.pages.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
    bucket_key_enabled = var.kms_key_arn != null
  }
}

resource "aws_s3_bucket_public_access_block" "pages" {
  bucket = aws_s3_bucket.pages.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "pages" {
  bucket = aws_s3_bucket.pages.id

  rule {
    id     = "belfry-pages"
    status = "Enabled"

    filter {
      prefix = "pages/"
    }

    expiration {
      days = 120
    }
  }

  rule {
    id     = "belfry-reports"
    status = "Enabled"

    filter {
      prefix = "reports/"
    }

    expiration {
      days = 30
    }
  }

  # Parts of an upload that was given up are billed like objects.
  rule {
    id     = "belfry-uploads"
    status = "Enabled"

    filter {
      prefix = ""
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}
