-- The tables of crmkit's core as they were before contacts had profiles, with the data of a small shop (mariadb-dump).
CREATE TABLE `crm_contact_points` (
  `kind` varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `scope` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `key` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `rank` bigint(20) NOT NULL,
  `contact_id` binary(16) NOT NULL,
  `ordinal` bigint(20) NOT NULL,
  `value` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `added_at` bigint(20) NOT NULL,
  PRIMARY KEY (`kind`,`scope`,`key`,`rank`),
  KEY `crm_contact_points_of` (`contact_id`,`ordinal`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `crm_contact_points` VALUES ('email','','ann@example.com',0,0x019BC186DE007000B484840BECB96756,0,'ann@example.com',1768478400000000);
INSERT INTO `crm_contact_points` VALUES ('email','','guest@example.net',0,0x019BC186DE00701682AF967FE0762D85,0,'guest@example.net',1768478400000000);
INSERT INTO `crm_contact_points` VALUES ('email','','office@example.org',0,0x019BC186DE007002A1F3717479DAB2C5,0,'office@example.org',1768478400000000);
INSERT INTO `crm_contact_points` VALUES ('external','shop','7',0,0x019BC186DE007000B484840BECB96756,3,'7',1768478400000000);
INSERT INTO `crm_contact_points` VALUES ('handle','mastodon','ngoc',0,0x019BC186DE00700486B0BC152E1DBB81,0,'ngoc',1768478400000000);
INSERT INTO `crm_contact_points` VALUES ('phone','','+442079460001',0,0x019BC186DE007000B484840BECB96756,1,'+442079460001',1768478400000000);
INSERT INTO `crm_contact_points` VALUES ('postal','GB','0b9e769468e1c5005b4544b3aa448bc7b0ff54b15dfdede1c99b11dd409af920',0,0x019BC186DE007000B484840BECB96756,2,'1 High Street\nLondon',1768478400000000);
CREATE TABLE `crm_contacts` (
  `id` binary(16) NOT NULL,
  `kind` varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `name` varchar(300) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `given_name` varchar(300) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `family_name` varchar(300) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `locale` varchar(35) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `zone` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `created_at` bigint(20) NOT NULL,
  `updated_at` bigint(20) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `crm_contacts` VALUES (0x019BC186DE007000B484840BECB96756,'person','Ann Example','Ann','Example','en','',1768478400000000,1768478400000000);
INSERT INTO `crm_contacts` VALUES (0x019BC186DE007002A1F3717479DAB2C5,'organisation','Example Limited','','','','',1768478400000000,1768478400000000);
INSERT INTO `crm_contacts` VALUES (0x019BC186DE00700486B0BC152E1DBB81,'person','Nguyễn Thị Ngọc','','','vi','Asia/Ho_Chi_Minh',1768478400000000,1768478400000000);
INSERT INTO `crm_contacts` VALUES (0x019BC186DE00701682AF967FE0762D85,'person','','','','','',1768478400000000,1768478400000000);
CREATE TABLE `crm_cursors` (
  `name` varchar(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `position` bigint(20) NOT NULL,
  `lease_until` bigint(20) NOT NULL,
  `holder` binary(16) DEFAULT NULL,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `crm_cursors` VALUES ('events',20,253402300799999999,NULL);
INSERT INTO `crm_cursors` VALUES ('relay:default',20,1768485600000000,0x019BC1F4BB00700596348408DBF2552D);
CREATE TABLE `crm_deliveries` (
  `id` binary(16) NOT NULL,
  `key` varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `channel` varchar(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `recipient` varchar(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `address` varchar(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `contact_id` binary(16) DEFAULT NULL,
  `topic` varchar(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `repeat` varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `state` varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `due_at` bigint(20) NOT NULL,
  `expires_at` bigint(20) NOT NULL,
  `queued_at` bigint(20) NOT NULL,
  `attempt` bigint(20) NOT NULL,
  `claim` binary(16) DEFAULT NULL,
  `reason` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `provider_id` varchar(300) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `name` varchar(300) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `locale` varchar(35) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `content` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `key` (`key`,`channel`,`recipient`),
  KEY `crm_deliveries_due` (`due_at`,`id`),
  KEY `crm_deliveries_state` (`state`,`queued_at`,`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `crm_deliveries` VALUES (0x019BC186DE00701EAB485F129307A137,'thanks:A1','email','019bc186-de00-7000-b484-840becb96756','ann@example.com',0x019BC186DE007000B484840BECB96756,'thank-you','at_least_once','sent',253402300799999999,253402300799999999,1768478400000000,1,0x019BC1F4BB00700697FE249DBC34D85D,'','email-1','Ann Example','en','{\"subject\":\"Thank you\",\"text\":\"Thank you, Ann.\"}');
INSERT INTO `crm_deliveries` VALUES (0x019BC186DE00701F9CE50AA9AA1733EA,'news:1','absent','019bc186-de00-7000-b484-840becb96756','',0x019BC186DE007000B484840BECB96756,'news','at_least_once','held',253402300799999999,253402300799999999,1768478400000000,0,NULL,'no channel \'absent\' is enabled','','Ann Example','en','{\"subject\":\"News\",\"text\":\"News\"}');
CREATE TABLE `crm_event_personal` (
  `event_id` binary(16) NOT NULL,
  `data` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  PRIMARY KEY (`event_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `crm_event_personal` VALUES (0x019BC186DE007001A48B51FED45EFE8E,'{\"name\":\"Ann Example\",\"points\":[\"email:ann@example.com\",\"phone:+442079460001\",\"postal:GB:1 High Street\\nLondon\"]}');
INSERT INTO `crm_event_personal` VALUES (0x019BC186DE007003A8B19A4C86452458,'{\"name\":\"Example Ltd\",\"points\":[\"email:office@example.org\"]}');
INSERT INTO `crm_event_personal` VALUES (0x019BC186DE007005A9C610FADF8271AB,'{\"name\":\"Nguyễn Thị Ngọc\",\"points\":[\"handle:mastodon:ngoc\"]}');
INSERT INTO `crm_event_personal` VALUES (0x019BC186DE007006A1C1E7C15C391699,'{\"after\":{\"name\":\"Example Limited\"},\"before\":{\"name\":\"Example Ltd\"}}');
INSERT INTO `crm_event_personal` VALUES (0x019BC186DE00700780DAB002FD305646,'{\"points\":[\"external:shop:7\"]}');
INSERT INTO `crm_event_personal` VALUES (0x019BC186DE007017B63C17D9472EA470,'{\"points\":[\"email:guest@example.net\"]}');
CREATE TABLE `crm_events` (
  `id` binary(16) NOT NULL,
  `type` varchar(60) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `version` bigint(20) NOT NULL,
  `key` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `contact_id` binary(16) DEFAULT NULL,
  `subject_id` binary(16) DEFAULT NULL,
  `actor` varchar(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `cause_id` binary(16) DEFAULT NULL,
  `occurred_at` bigint(20) NOT NULL,
  `recorded_at` bigint(20) NOT NULL,
  `position` bigint(20) DEFAULT NULL,
  `data` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `key` (`key`),
  KEY `crm_events_position` (`position`,`id`),
  KEY `crm_events_subject` (`subject_id`,`id`),
  KEY `crm_events_timeline` (`contact_id`,`occurred_at`,`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `crm_events` VALUES (0x019BC186DE007001A48B51FED45EFE8E,'ContactAdded',1,'ContactAdded:019bc186-de00-7001-a48b-51fed45efe8e',0x019BC186DE007000B484840BECB96756,0x019BC186DE007000B484840BECB96756,'system',NULL,1768478400000000,1768478400000000,1,'{}');
INSERT INTO `crm_events` VALUES (0x019BC186DE007003A8B19A4C86452458,'ContactAdded',1,'ContactAdded:019bc186-de00-7003-a8b1-9a4c86452458',0x019BC186DE007002A1F3717479DAB2C5,0x019BC186DE007002A1F3717479DAB2C5,'system',NULL,1768478400000000,1768478400000000,2,'{}');
INSERT INTO `crm_events` VALUES (0x019BC186DE007005A9C610FADF8271AB,'ContactAdded',1,'ContactAdded:019bc186-de00-7005-a9c6-10fadf8271ab',0x019BC186DE00700486B0BC152E1DBB81,0x019BC186DE00700486B0BC152E1DBB81,'system',NULL,1768478400000000,1768478400000000,3,'{}');
INSERT INTO `crm_events` VALUES (0x019BC186DE007006A1C1E7C15C391699,'ContactUpdated',1,'ContactUpdated:019bc186-de00-7006-a1c1-e7c15c391699',0x019BC186DE007002A1F3717479DAB2C5,0x019BC186DE007002A1F3717479DAB2C5,'system',NULL,1768478400000000,1768478400000000,4,'{\"fields\":[\"name\"]}');
INSERT INTO `crm_events` VALUES (0x019BC186DE00700780DAB002FD305646,'ContactPointsAdded',1,'ContactPointsAdded:019bc186-de00-7007-80da-b002fd305646',0x019BC186DE007000B484840BECB96756,0x019BC186DE007000B484840BECB96756,'system',NULL,1768478400000000,1768478400000000,5,'{}');
INSERT INTO `crm_events` VALUES (0x019BC186DE0070098E69AECE79A0D3AB,'OrderRecorded',1,'order:A1',0x019BC186DE007000B484840BECB96756,0x019BC186DE007008AB1BE96650F6A6B9,'system',NULL,1768478400000000,1768478400000000,6,'{\"order\":{\"contact_id\":\"019bc186-de00-7000-b484-840becb96756\",\"currency\":\"GBP\",\"key\":\"A1\",\"lines\":[{\"id\":\"1\",\"name\":\"Earl Grey\",\"quantity\":2,\"sku\":\"TEA\",\"tax\":100,\"total\":1000},{\"id\":\"2\",\"quantity\":1,\"sku\":\"CUP\",\"total\":500}],\"placed_at\":1768478400000000},\"state\":\"paid\"}');
INSERT INTO `crm_events` VALUES (0x019BC186DE00700A820F39B81DE7B1BE,'OrderPaid',1,'order:A1:paid',0x019BC186DE007000B484840BECB96756,0x019BC186DE007008AB1BE96650F6A6B9,'system',0x019BC186DE0070098E69AECE79A0D3AB,1768478400000000,1768478400000000,7,'{\"amount\":[1500,\"GBP\"],\"awards\":[{\"amount\":15,\"inputs\":{\"base\":\"goods\",\"currency\":\"GBP\",\"exponent\":2,\"minor\":1500,\"rate\":\"1\",\"rounding\":\"floor\"},\"owner\":\"loyalty\",\"rule\":\"points-per-unit@1\"}],\"order_key\":\"A1\"}');
INSERT INTO `crm_events` VALUES (0x019BC186DE00700DA46FA9FCD8DFA9FF,'PointsEarned',1,'PointsEarned:019bc186-de00-700d-a46f-a9fcd8dfa9ff',0x019BC186DE007000B484840BECB96756,0x019BC186DE007008AB1BE96650F6A6B9,'system',0x019BC186DE00700A820F39B81DE7B1BE,1768478400000000,1768478400000000,8,'{\"amount\":15,\"order_key\":\"A1\",\"rules\":{\"points-per-unit@1\":15},\"unit\":\"points\"}');
INSERT INTO `crm_events` VALUES (0x019BC186DE00700F9DEDD7DF5D39B05D,'OrderRecorded',1,'order:A2',0x019BC186DE007000B484840BECB96756,0x019BC186DE00700EAC9F9D2800B975DF,'system',NULL,1768478400000000,1768478400000000,9,'{\"order\":{\"contact_id\":\"019bc186-de00-7000-b484-840becb96756\",\"currency\":\"GBP\",\"key\":\"A2\",\"lines\":[{\"id\":\"1\",\"name\":\"Earl Grey\",\"quantity\":2,\"sku\":\"TEA\",\"tax\":100,\"total\":2000},{\"id\":\"2\",\"quantity\":1,\"sku\":\"CUP\",\"total\":500}],\"placed_at\":1768478400000000},\"state\":\"paid\"}');
INSERT INTO `crm_events` VALUES (0x019BC186DE0070109C7032068B444D54,'OrderPaid',1,'order:A2:paid',0x019BC186DE007000B484840BECB96756,0x019BC186DE00700EAC9F9D2800B975DF,'system',0x019BC186DE00700F9DEDD7DF5D39B05D,1768478400000000,1768478400000000,10,'{\"amount\":[2500,\"GBP\"],\"awards\":[{\"amount\":25,\"inputs\":{\"base\":\"goods\",\"currency\":\"GBP\",\"exponent\":2,\"minor\":2500,\"rate\":\"1\",\"rounding\":\"floor\"},\"owner\":\"loyalty\",\"rule\":\"points-per-unit@1\"}],\"order_key\":\"A2\"}');
INSERT INTO `crm_events` VALUES (0x019BC186DE00701387464B8C9B28230C,'PointsEarned',1,'PointsEarned:019bc186-de00-7013-8746-4b8c9b28230c',0x019BC186DE007000B484840BECB96756,0x019BC186DE00700EAC9F9D2800B975DF,'system',0x019BC186DE0070109C7032068B444D54,1768478400000000,1768478400000000,11,'{\"amount\":25,\"order_key\":\"A2\",\"rules\":{\"points-per-unit@1\":25},\"unit\":\"points\"}');
INSERT INTO `crm_events` VALUES (0x019BC186DE00701583A362A8FD071154,'OrderRecorded',1,'order:A3',0x019BC186DE007000B484840BECB96756,0x019BC186DE007014A9AF4B804207095B,'system',NULL,1768478400000000,1768478400000000,12,'{\"order\":{\"contact_id\":\"019bc186-de00-7000-b484-840becb96756\",\"currency\":\"GBP\",\"key\":\"A3\",\"lines\":[{\"id\":\"1\",\"name\":\"Earl Grey\",\"quantity\":2,\"sku\":\"TEA\",\"tax\":100,\"total\":3000},{\"id\":\"2\",\"quantity\":1,\"sku\":\"CUP\",\"total\":500}],\"placed_at\":1768478400000000}}');
INSERT INTO `crm_events` VALUES (0x019BC186DE007017B63C17D9472EA470,'ContactAdded',1,'ContactAdded:019bc186-de00-7017-b63c-17d9472ea470',0x019BC186DE00701682AF967FE0762D85,0x019BC186DE00701682AF967FE0762D85,'system',NULL,1768478400000000,1768478400000000,13,'{}');
INSERT INTO `crm_events` VALUES (0x019BC186DE007019A866B1FC14D87D22,'OrderRecorded',1,'order:G1',0x019BC186DE00701682AF967FE0762D85,0x019BC186DE007018BAE0891FB132F365,'system',NULL,1768478400000000,1768478400000000,14,'{\"order\":{\"contact_id\":\"019bc186-de00-7016-82af-967fe0762d85\",\"currency\":\"GBP\",\"key\":\"G1\",\"lines\":[{\"id\":\"1\",\"quantity\":1,\"sku\":\"TEA\",\"total\":700}],\"placed_at\":1768478400000000},\"state\":\"paid\"}');
INSERT INTO `crm_events` VALUES (0x019BC186DE00701A9604A122467E16C6,'OrderPaid',1,'order:G1:paid',0x019BC186DE00701682AF967FE0762D85,0x019BC186DE007018BAE0891FB132F365,'system',0x019BC186DE007019A866B1FC14D87D22,1768478400000000,1768478400000000,15,'{\"amount\":[700,\"GBP\"],\"awards\":[{\"amount\":7,\"inputs\":{\"base\":\"goods\",\"currency\":\"GBP\",\"exponent\":2,\"minor\":700,\"rate\":\"1\",\"rounding\":\"floor\"},\"owner\":\"loyalty\",\"rule\":\"points-per-unit@1\"}],\"order_key\":\"G1\"}');
INSERT INTO `crm_events` VALUES (0x019BC186DE00701D8D0E072983B80750,'PointsEarned',1,'PointsEarned:019bc186-de00-701d-8d0e-072983b80750',0x019BC186DE00701682AF967FE0762D85,0x019BC186DE007018BAE0891FB132F365,'system',0x019BC186DE00701A9604A122467E16C6,1768478400000000,1768478400000000,16,'{\"amount\":7,\"order_key\":\"G1\",\"rules\":{\"points-per-unit@1\":7},\"unit\":\"points\"}');
INSERT INTO `crm_events` VALUES (0x019BC1F4BB007000BBCF1361F400CB74,'OrderRefunded',1,'order:A1:refund:R1',0x019BC186DE007000B484840BECB96756,0x019BC186DE007008AB1BE96650F6A6B9,'system',NULL,1768485600000000,1768485600000000,17,'{\"amount\":[500,\"GBP\"],\"order_key\":\"A1\",\"parts\":{\"1\":{\"minor\":333},\"2\":{\"minor\":167}},\"refund_key\":\"R1\",\"returned\":{\"1\":{\"minor\":333},\"2\":{\"minor\":167}},\"whole\":false}');
INSERT INTO `crm_events` VALUES (0x019BC1F4BB007002B41E4675FCF04F37,'PointsClawedBack',1,'PointsClawedBack:019bc1f4-bb00-7002-b41e-4675fcf04f37',0x019BC186DE007000B484840BECB96756,0x019BC186DE007008AB1BE96650F6A6B9,'system',0x019BC1F4BB007000BBCF1361F400CB74,1768485600000000,1768485600000000,18,'{\"amount\":5,\"because\":\"refunded\",\"order_key\":\"A1\",\"unit\":\"points\"}');
INSERT INTO `crm_events` VALUES (0x019BC1F4BB00700388BA0DD75C006436,'OrderShipped',1,'order:A2:shipped',0x019BC186DE007000B484840BECB96756,0x019BC186DE00700EAC9F9D2800B975DF,'system',NULL,1768485600000000,1768485600000000,19,'{\"order_key\":\"A2\",\"tracking\":\"T1\"}');
INSERT INTO `crm_events` VALUES (0x019BC1F4BB0070048A1EDA9353723EDF,'OrderCancelled',1,'order:A3:cancel',0x019BC186DE007000B484840BECB96756,0x019BC186DE007014A9AF4B804207095B,'system',NULL,1768485600000000,1768485600000000,20,'{\"order_key\":\"A3\",\"reason\":\"changed my mind\"}');
INSERT INTO `crm_events` VALUES (0x019BC1F4BB00700791AA4877BBC8B40B,'MessageSent',1,'message:019bc186-de00-701e-ab48-5f129307a137:sent',0x019BC186DE007000B484840BECB96756,0x019BC186DE00701EAB485F129307A137,'system',NULL,1768485600000000,1768485600000000,NULL,'{\"channel\":\"email\",\"delivery_id\":\"019bc186-de00-701e-ab48-5f129307a137\",\"provider_id\":\"email-1\",\"topic\":\"thank-you\"}');
CREATE TABLE `crm_failures` (
  `id` binary(16) NOT NULL,
  `at` bigint(20) NOT NULL,
  `owner` varchar(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `what` varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `subject` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `error` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `crm_installation` (
  `name` varchar(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `value` varchar(500) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `crm_installation` VALUES ('owner','crm.create_tables()');
INSERT INTO `crm_installation` VALUES ('place','upgrade test');
INSERT INTO `crm_installation` VALUES ('schema_version','1');
CREATE TABLE `crm_loyalty_lots` (
  `id` binary(16) NOT NULL,
  `contact_id` binary(16) NOT NULL,
  `unit` varchar(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `quantity` bigint(20) NOT NULL,
  `transaction_id` binary(16) NOT NULL,
  `subject_id` binary(16) DEFAULT NULL,
  `active_from` bigint(20) NOT NULL,
  `expires_at` bigint(20) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `crm_loyalty_lots_subject` (`subject_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `crm_loyalty_lots` VALUES (0x019BC186DE00700BA01B87C00A4A0AE9,0x019BC186DE007000B484840BECB96756,'points',15,0x019BC186DE00700CB22D3CE50862E457,0x019BC186DE007008AB1BE96650F6A6B9,1768478400000000,253402300799999999);
INSERT INTO `crm_loyalty_lots` VALUES (0x019BC186DE00701193CB247AC771B273,0x019BC186DE007000B484840BECB96756,'points',25,0x019BC186DE007012A35B19DC63C3EBCD,0x019BC186DE00700EAC9F9D2800B975DF,1768478400000000,253402300799999999);
INSERT INTO `crm_loyalty_lots` VALUES (0x019BC186DE00701B91F04DEF82C951D0,0x019BC186DE00701682AF967FE0762D85,'points',7,0x019BC186DE00701CAC58D472DE195EA7,0x019BC186DE007018BAE0891FB132F365,1768478400000000,253402300799999999);
CREATE TABLE `crm_loyalty_postings` (
  `transaction_id` binary(16) NOT NULL,
  `n` bigint(20) NOT NULL,
  `contact_id` binary(16) NOT NULL,
  `unit` varchar(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `account` varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `lot_id` binary(16) DEFAULT NULL,
  `amount` bigint(20) NOT NULL,
  PRIMARY KEY (`transaction_id`,`n`),
  KEY `crm_loyalty_postings_wallet` (`contact_id`,`unit`,`account`,`lot_id`,`amount`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `crm_loyalty_postings` VALUES (0x019BC1F4BB007001981E45AD6A2A2BF2,2,0x019BC186DE007000B484840BECB96756,'points','active',0x019BC186DE00700BA01B87C00A4A0AE9,-5);
INSERT INTO `crm_loyalty_postings` VALUES (0x019BC186DE00700CB22D3CE50862E457,2,0x019BC186DE007000B484840BECB96756,'points','active',0x019BC186DE00700BA01B87C00A4A0AE9,15);
INSERT INTO `crm_loyalty_postings` VALUES (0x019BC186DE007012A35B19DC63C3EBCD,2,0x019BC186DE007000B484840BECB96756,'points','active',0x019BC186DE00701193CB247AC771B273,25);
INSERT INTO `crm_loyalty_postings` VALUES (0x019BC1F4BB007001981E45AD6A2A2BF2,1,0x019BC186DE007000B484840BECB96756,'points','clawed',0x019BC186DE00700BA01B87C00A4A0AE9,5);
INSERT INTO `crm_loyalty_postings` VALUES (0x019BC186DE00700CB22D3CE50862E457,1,0x019BC186DE007000B484840BECB96756,'points','issuance',0x019BC186DE00700BA01B87C00A4A0AE9,-15);
INSERT INTO `crm_loyalty_postings` VALUES (0x019BC186DE007012A35B19DC63C3EBCD,1,0x019BC186DE007000B484840BECB96756,'points','issuance',0x019BC186DE00701193CB247AC771B273,-25);
INSERT INTO `crm_loyalty_postings` VALUES (0x019BC186DE00701CAC58D472DE195EA7,2,0x019BC186DE00701682AF967FE0762D85,'points','active',0x019BC186DE00701B91F04DEF82C951D0,7);
INSERT INTO `crm_loyalty_postings` VALUES (0x019BC186DE00701CAC58D472DE195EA7,1,0x019BC186DE00701682AF967FE0762D85,'points','issuance',0x019BC186DE00701B91F04DEF82C951D0,-7);
CREATE TABLE `crm_loyalty_transactions` (
  `id` binary(16) NOT NULL,
  `key` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `kind` varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `contact_id` binary(16) NOT NULL,
  `unit` varchar(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `effective_at` bigint(20) NOT NULL,
  `recorded_at` bigint(20) NOT NULL,
  `cause_id` binary(16) DEFAULT NULL,
  `subject_id` binary(16) DEFAULT NULL,
  `content` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `key` (`key`),
  KEY `crm_loyalty_transactions_statement` (`contact_id`,`unit`,`effective_at`,`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `crm_loyalty_transactions` VALUES (0x019BC186DE00700CB22D3CE50862E457,'order:A1:paid','earn',0x019BC186DE007000B484840BECB96756,'points',1768478400000000,1768478400000000,0x019BC186DE00700A820F39B81DE7B1BE,0x019BC186DE007008AB1BE96650F6A6B9,'{\"base\":\"goods\",\"owner\":\"loyalty\",\"rule\":\"points-per-unit@1\"}');
INSERT INTO `crm_loyalty_transactions` VALUES (0x019BC186DE007012A35B19DC63C3EBCD,'order:A2:paid','earn',0x019BC186DE007000B484840BECB96756,'points',1768478400000000,1768478400000000,0x019BC186DE0070109C7032068B444D54,0x019BC186DE00700EAC9F9D2800B975DF,'{\"base\":\"goods\",\"owner\":\"loyalty\",\"rule\":\"points-per-unit@1\"}');
INSERT INTO `crm_loyalty_transactions` VALUES (0x019BC186DE00701CAC58D472DE195EA7,'order:G1:paid','earn',0x019BC186DE00701682AF967FE0762D85,'points',1768478400000000,1768478400000000,0x019BC186DE00701A9604A122467E16C6,0x019BC186DE007018BAE0891FB132F365,'{\"base\":\"goods\",\"owner\":\"loyalty\",\"rule\":\"points-per-unit@1\"}');
INSERT INTO `crm_loyalty_transactions` VALUES (0x019BC1F4BB007001981E45AD6A2A2BF2,'order:A1:refund:R1','claw-back',0x019BC186DE007000B484840BECB96756,'points',1768485600000000,1768485600000000,0x019BC1F4BB007000BBCF1361F400CB74,0x019BC186DE007008AB1BE96650F6A6B9,'{\"base\":\"goods\",\"because\":\"refunded\",\"before\":0,\"earned\":15,\"lot\":\"019bc186-de00-700b-a01b-87c00a4a0ae9\",\"minor\":1500,\"refunded\":\"500\",\"rule\":\"points-per-unit@1\",\"whole\":false}');
CREATE TABLE `crm_loyalty_wallets` (
  `contact_id` binary(16) NOT NULL,
  `unit` varchar(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `revision` bigint(20) NOT NULL,
  `opened_at` bigint(20) NOT NULL,
  PRIMARY KEY (`contact_id`,`unit`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `crm_loyalty_wallets` VALUES (0x019BC186DE007000B484840BECB96756,'points',3,1768478400000000);
INSERT INTO `crm_loyalty_wallets` VALUES (0x019BC186DE00701682AF967FE0762D85,'points',1,1768478400000000);
CREATE TABLE `crm_orders` (
  `id` binary(16) NOT NULL,
  `key` varchar(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `contact_id` binary(16) DEFAULT NULL,
  `state` varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `currency` varchar(3) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `total` bigint(20) NOT NULL,
  `refunded` bigint(20) NOT NULL,
  `placed_at` bigint(20) NOT NULL,
  `paid_at` bigint(20) NOT NULL,
  `shipped_at` bigint(20) NOT NULL,
  `cancelled_at` bigint(20) NOT NULL,
  `lines_event_id` binary(16) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `key` (`key`),
  KEY `crm_orders_of` (`contact_id`,`placed_at`,`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `crm_orders` VALUES (0x019BC186DE007008AB1BE96650F6A6B9,'A1',0x019BC186DE007000B484840BECB96756,'paid','GBP',1500,500,1768478400000000,1768478400000000,253402300799999999,253402300799999999,0x019BC186DE0070098E69AECE79A0D3AB);
INSERT INTO `crm_orders` VALUES (0x019BC186DE00700EAC9F9D2800B975DF,'A2',0x019BC186DE007000B484840BECB96756,'shipped','GBP',2500,0,1768478400000000,1768478400000000,1768485600000000,253402300799999999,0x019BC186DE00700F9DEDD7DF5D39B05D);
INSERT INTO `crm_orders` VALUES (0x019BC186DE007014A9AF4B804207095B,'A3',0x019BC186DE007000B484840BECB96756,'cancelled','GBP',3500,0,1768478400000000,253402300799999999,253402300799999999,1768485600000000,0x019BC186DE00701583A362A8FD071154);
INSERT INTO `crm_orders` VALUES (0x019BC186DE007018BAE0891FB132F365,'G1',0x019BC186DE00701682AF967FE0762D85,'paid','GBP',700,0,1768478400000000,1768478400000000,253402300799999999,253402300799999999,0x019BC186DE007019A866B1FC14D87D22);
CREATE TABLE `crm_pauses` (
  `channel` varchar(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `scope` varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `value` varchar(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  `until` bigint(20) NOT NULL,
  `reason` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  PRIMARY KEY (`channel`,`scope`,`value`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
