//! The AWS managed policies that this service has, as the AWS Managed Policy Reference Guide and the
//! archive of zoph-io/MAMIP show them: the same actions on the same resources, in our own order.

use super::{Kind, Policy};
use crate::clock::Timestamp;
use std::sync::LazyLock;

/// A policy that AWS wrote and that nobody can change.
#[derive(Debug)]
pub struct Managed {
    /// Its name.
    pub policy_name: &'static str,
    /// Its ARN, which is the same in every AWS account.
    pub arn: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// The version of AWS's that this is.
    pub default_version_id: &'static str,
    /// When AWS made the policy.
    pub create_date: Timestamp,
    /// When AWS made this version of it.
    pub update_date: Timestamp,
    /// The policy document.
    pub document: &'static str,
    /// The document, compiled.
    pub policy: Policy,
}

impl Managed {
    /// Returns the managed policy with an ARN.
    pub fn find(arn: &str) -> Option<&'static Self> {
        managed().iter().find(|it| it.arn == arn)
    }
}

/// Returns the managed policies, in the order of their names.
pub fn managed() -> &'static [Managed] {
    static MANAGED: LazyLock<[Managed; 6]> = LazyLock::new(|| {
        [
            ADMINISTRATOR_ACCESS,
            CHIME_FULL_ACCESS,
            CHIME_READ_ONLY,
            CHIME_SDK,
            CHIME_USER_MANAGEMENT,
            IAM_FULL_ACCESS,
        ]
        .map(Published::compile)
    });
    MANAGED.as_slice()
}

/// A managed policy as AWS publishes it.
struct Published {
    arn: &'static str,
    description: &'static str,
    default_version_id: &'static str,
    create_date: &'static str,
    update_date: &'static str,
    document: &'static str,
}

impl Published {
    fn compile(self) -> Managed {
        let (_, policy_name) = self.arn.rsplit_once('/').expect("the ARN of a policy has a path");
        let instant = |text| Timestamp::exactly(text).expect("the date is one");
        Managed {
            policy_name,
            arn: self.arn,
            description: self.description,
            default_version_id: self.default_version_id,
            create_date: instant(self.create_date),
            update_date: instant(self.update_date),
            document: self.document,
            policy: Policy::parse(self.document, Kind::Identity)
                .expect("the policy is well formed"),
        }
    }
}

const ADMINISTRATOR_ACCESS: Published = Published {
    arn: "arn:aws:iam::aws:policy/AdministratorAccess",
    description: "Everything, on all resources.",
    default_version_id: "v1",
    create_date: "2015-02-06T18:39:46Z",
    update_date: "2015-02-06T18:39:46Z",
    document: r#"{
  "Version": "2012-10-17",
  "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
}"#,
};

const CHIME_FULL_ACCESS: Published = Published {
    arn: "arn:aws:iam::aws:policy/AmazonChimeFullAccess",
    description: "Everything in Amazon Chime, and what its console needs of other services.",
    default_version_id: "v3",
    create_date: "2017-11-01T22:15:00Z",
    update_date: "2020-12-14T21:00:52Z",
    document: r#"{
  "Version": "2012-10-17",
  "Statement": [
    {"Effect": "Allow", "Action": ["chime:*"], "Resource": "*"},
    {
      "Effect": "Allow",
      "Action": [
        "s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketLogging", "s3:GetBucketVersioning",
        "s3:GetBucketWebsite", "s3:ListAllMyBuckets", "s3:ListBucket"
      ],
      "Resource": "*"
    },
    {
      "Effect": "Allow",
      "Action": [
        "logs:CreateLogDelivery", "logs:CreateLogGroup", "logs:DeleteLogDelivery",
        "logs:DescribeLogGroups", "logs:DescribeResourcePolicies", "logs:GetLogDelivery",
        "logs:ListLogDeliveries", "logs:PutResourcePolicy"
      ],
      "Resource": "*"
    },
    {
      "Effect": "Allow",
      "Action": ["sns:CreateTopic", "sns:GetTopicAttributes"],
      "Resource": ["arn:aws:sns:*:*:ChimeVoiceConnector-Streaming*"]
    },
    {
      "Effect": "Allow",
      "Action": ["sqs:CreateQueue", "sqs:GetQueueAttributes"],
      "Resource": ["arn:aws:sqs:*:*:ChimeVoiceConnector-Streaming*"]
    },
    {"Effect": "Allow", "Action": ["kinesis:ListStreams"], "Resource": "*"},
    {
      "Effect": "Allow",
      "Action": ["kinesis:DescribeStream"],
      "Resource": [
        "arn:aws:kinesis:*:*:stream/chime-chat-*", "arn:aws:kinesis:*:*:stream/chime-messaging-*"
      ]
    },
    {
      "Effect": "Allow",
      "Action": ["s3:GetEncryptionConfiguration", "s3:ListBucket"],
      "Resource": ["arn:aws:s3:::chime-chat-*"]
    }
  ]
}"#,
};

const CHIME_READ_ONLY: Published = Published {
    arn: "arn:aws:iam::aws:policy/AmazonChimeReadOnly",
    description: "Everything in Amazon Chime that changes nothing.",
    default_version_id: "v10",
    create_date: "2017-11-01T22:04:00Z",
    update_date: "2020-12-14T20:53:57Z",
    document: r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "chime:Describe*", "chime:Get*", "chime:List*", "chime:SearchAvailablePhoneNumbers"
      ],
      "Resource": "*"
    }
  ]
}"#,
};

const CHIME_SDK: Published = Published {
    arn: "arn:aws:iam::aws:policy/AmazonChimeSDK",
    description: "Meetings and media pipelines of the Amazon Chime SDK.",
    default_version_id: "v5",
    create_date: "2020-02-04T21:53:00Z",
    update_date: "2023-01-10T18:05:12Z",
    document: r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "chime:BatchCreateAttendee", "chime:CreateAttendee", "chime:CreateMediaCapturePipeline",
        "chime:CreateMediaConcatenationPipeline", "chime:CreateMediaLiveConnectorPipeline",
        "chime:CreateMeeting", "chime:CreateMeetingWithAttendees", "chime:DeleteAttendee",
        "chime:DeleteMediaCapturePipeline", "chime:DeleteMediaPipeline", "chime:DeleteMeeting",
        "chime:GetAttendee", "chime:GetMediaCapturePipeline", "chime:GetMediaPipeline",
        "chime:GetMeeting", "chime:ListAttendeeTags", "chime:ListAttendees",
        "chime:ListMediaCapturePipelines", "chime:ListMediaPipelines", "chime:ListMeetingTags",
        "chime:ListMeetings", "chime:ListTagsForResource", "chime:StartMeetingTranscription",
        "chime:StopMeetingTranscription", "chime:TagAttendee", "chime:TagMeeting",
        "chime:TagResource", "chime:UntagAttendee", "chime:UntagMeeting", "chime:UntagResource"
      ],
      "Resource": "*"
    }
  ]
}"#,
};

const CHIME_USER_MANAGEMENT: Published = Published {
    arn: "arn:aws:iam::aws:policy/AmazonChimeUserManagement",
    description: "The users of Amazon Chime accounts, and reports about them.",
    default_version_id: "v8",
    create_date: "2017-11-01T22:17:00Z",
    update_date: "2020-02-18T19:26:10Z",
    document: r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "chime:ActivateUsers", "chime:AssociatePhoneNumberWithUser",
        "chime:AssociateSigninDelegateGroupsWithAccount", "chime:BatchSuspendUser",
        "chime:BatchUnsuspendUser", "chime:BatchUpdateUser", "chime:CreateUser",
        "chime:DisassociatePhoneNumberFromUser",
        "chime:DisassociateSigninDelegateGroupsFromAccount", "chime:GetAccount",
        "chime:GetAccountSettings", "chime:GetDomain", "chime:GetMeetingDetail",
        "chime:GetPhoneNumber", "chime:GetUser", "chime:GetUserActivityReportData",
        "chime:GetUserByEmail", "chime:GetUserSettings", "chime:InviteUsers",
        "chime:InviteUsersFromProvider", "chime:ListAccountUsageReportData", "chime:ListAccounts",
        "chime:ListDelegates", "chime:ListDirectories", "chime:ListDomains", "chime:ListGroups",
        "chime:ListMeetingEvents", "chime:ListMeetingsReportData", "chime:ListPhoneNumbers",
        "chime:ListUsers", "chime:LogoutUser", "chime:ResetPersonalPIN",
        "chime:SubmitSupportRequest", "chime:SuspendUsers", "chime:UpdateAccountSettings",
        "chime:UpdateUser", "chime:UpdateUserLicenses", "chime:UpdateUserSettings"
      ],
      "Resource": "*"
    }
  ]
}"#,
};

const IAM_FULL_ACCESS: Published = Published {
    arn: "arn:aws:iam::aws:policy/IAMFullAccess",
    description: "Everything in IAM.",
    default_version_id: "v2",
    create_date: "2015-02-06T18:40:00Z",
    update_date: "2019-06-21T19:40:00Z",
    document: r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "iam:*", "organizations:DescribeAccount", "organizations:DescribeOrganization",
        "organizations:DescribeOrganizationalUnit", "organizations:DescribePolicy",
        "organizations:ListChildren", "organizations:ListParents", "organizations:ListPolicies",
        "organizations:ListPoliciesForTarget", "organizations:ListRoots",
        "organizations:ListTargetsForPolicy"
      ],
      "Resource": "*"
    }
  ]
}"#,
};
