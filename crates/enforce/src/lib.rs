//! The pipeline from call to permit to outcome, free of any transport
