"""Email for crmkit: messages go out over SMTP, one connection a batch."""

from crmkit_email.headers import BadMail
from crmkit_email.message import Mail, build
from crmkit_email.plugin import EmailPlugin
from crmkit_email.settings import EmailSettings
from crmkit_email.smtp import SmtpChannel

__all__ = ["BadMail", "EmailPlugin", "EmailSettings", "Mail", "SmtpChannel", "build"]
